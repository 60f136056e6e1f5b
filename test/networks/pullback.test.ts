import { afterAll, describe, expect, it } from "vitest";
import { openPullback } from "../../src/networks/index.js";
import { openPair } from "../../src/open/index.js";
import { createRng, type FloatTensor, float, stack } from "../../src/tensor/index.js";

const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());

describe("the pullback of a network", { timeout: 120_000 }, () => {
  it("agrees with central differences of the network, for each sample of a batch", async () => {
    const { denoiser, weights, network } = pair.base;
    const shape = { height: 8, width: 12, tokens: pair.text.tokens };
    const rng = createRng(3);
    const encoded = await pair.text.encode("a cartoon character", 0);
    const draw = () => rng.randn([1, 4, 8, 12]);
    const [latents, cotangents, directions] = [0, 1, 2].map(() => [draw(), draw()]);
    if (!latents || !cotangents || !directions) throw new Error("unreachable");
    const feeds = (at: readonly FloatTensor[]) =>
      denoiser.inputs({
        latents: at,
        timestep: 749,
        conditioning: at.map(() => encoded),
        guidance: 1,
        size: { width: 96, height: 64 },
      });
    const pullback = openPullback({
      ...{
        runtime: pair.engine.runtime,
        upcast: pair.engine.upcast,
        weights,
        stack: null,
        of: "prediction",
        to: "sample",
      },
      draw: (s: typeof shape, index) => denoiser.draw(s, index),
    });
    const towards = await pullback.run(shape, feeds(latents), stack(cotangents));
    await pullback.release();
    const step = 0.02;
    const moved = async (sign: number) => {
      const at = latents.map(({ shape: s, data }, i) =>
        float(
          s,
          data.map((v, j) => v + sign * step * (directions[i]?.data[j] ?? 0)),
        ),
      );
      const { outputs } = await network.run(shape, feeds(at));
      return outputs["prediction"]?.data ?? [];
    };
    const [up, down] = [await moved(1), await moved(-1)];
    const size = 4 * 8 * 12;
    for (const i of [0, 1]) {
      let [expected, found] = [0, 0];
      for (let j = 0; j < size; j++) {
        const k = i * size + j;
        expected += ((Number(up[k]) - Number(down[k])) / (2 * step)) * (cotangents[i]?.data[j] ?? 0);
        found += (towards.data[k] ?? Number.NaN) * (directions[i]?.data[j] ?? 0);
      }
      expect(Math.abs(expected)).toBeGreaterThan(0.1);
      expect(Math.abs(found - expected)).toBeLessThan(0.01 * Math.abs(expected) + 0.01);
    }
  });
});
