import { afterAll, describe, expect, it } from "vitest";
import { layersOf } from "../../src/adapters/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { parseUNetConfig, unetDenoiser } from "../../src/models/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { sample } from "../../src/tensor/index.js";
import { chooseLayers, firstValues, openLoss } from "../../src/train/index.js";
import { componentFolder, componentGolden, stemOf } from "../support/checkpoint.js";
import { farthest } from "../support/parity.js";
import { noise, text } from "../support/trained.js";

const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

describe.each(["unet-sd1", "unet-sdxl"])("recomputation in %s", { timeout: 240_000 }, (name) => {
  it("gives the same loss and gradients from less memory", async () => {
    const component = componentGolden(name);
    const index = await openComponentWeights(componentFolder(name), stemOf(component));
    const config = parseUNetConfig({ file: "config.json", config: component.config });
    const model = { denoiser: unetDenoiser(config, 8), weights: async () => index };
    const layers = layersOf([...index.weights].map(([key, w]) => [key, w.shape] as const));
    const lora = chooseLayers(layers, { rank: 2, layers: "full", type: "c3lier" });
    // The up matrices are 0 at first, and so would be the gradients of the others.
    const parameters = Object.fromEntries(
      Object.entries(firstValues(lora, 3)).map(([key, v], i) => [
        key,
        key.includes(".up") ? noise(v.shape, i, 0.1) : v,
      ]),
    );
    const [x, target] = [noise([2, 4, 24, 16], 1), noise([2, 4, 24, 16], 2)];
    const batch = {
      latents: [sample(x, 0), sample(x, 1)],
      targets: [sample(target, 0), sample(target, 1)],
      conditioning: [text(config, 9, 1), text(config, 9, 2)],
      timestep: [400, 700],
      size: { height: 192, width: 128 },
      ...{ guidance: 0, scale: 1 },
    };
    const engine = { runtime, upcast: "at-load" } as const;
    const [plain, less] = [
      await openLoss({ engine }, model, lora),
      await openLoss({ engine }, model, lora, { recompute: true }),
    ];
    expect(less.memory()).toBeNull();
    const [expected, found] = [await plain.run(batch, parameters), await less.run(batch, parameters)];
    expect(found.loss / expected.loss).toBeCloseTo(1, 5);
    for (const [key, { data }] of Object.entries(expected.gradients))
      expect(farthest(found.gradients[key]?.data ?? new Float32Array(), data), key).toBeLessThan(1e-4);
    expect(plain.memory()).toBeNull();
    const { kept = 0, recomputed = Number.NaN } = less.memory() ?? {};
    expect(recomputed / kept).toBeLessThan(0.75);
    await plain.release();
    await less.release();
  });
});
