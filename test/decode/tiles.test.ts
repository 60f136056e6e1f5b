import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { decodeLatents } from "../../src/decode/index.js";
import {
  crop,
  expanded,
  fromPlanes,
  insideMask,
  paste,
  planes,
  statistics,
  tilesOf,
  toPlanes,
  windowAround,
} from "../../src/decode/tiles.js";
import { generate } from "../../src/generate/index.js";
import { openDecoder, openPair } from "../../src/open/index.js";
import type { Runtime } from "../../src/runtime/index.js";
import { createRng, type FloatTensor, float, type RgbImage, stack } from "../../src/tensor/index.js";
import { componentFolder } from "../support/checkpoint.js";

const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());

const farthest = (a: RgbImage, b: RgbImage) => {
  expect([a.width, a.height]).toEqual([b.width, b.height]);
  return a.data.reduce((most, v, i) => Math.max(most, Math.abs(v - (b.data[i] ?? Number.NaN))), 0);
};

describe("tiles", { timeout: 240_000 }, () => {
  it("cover every pixel once, are of one size, and no longer than asked for", () => {
    const side = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), side, (height, width, side) => {
        const times = new Uint8Array(height * width);
        const tiles = tilesOf(height, width, side);
        for (const t of tiles) {
          expect(Math.max(t.height, t.width)).toBeLessThanOrEqual(side);
          expect([t.height, t.width]).toEqual([tiles[0]?.height, tiles[0]?.width]);
          for (let y = t.top; y < Math.min(height, t.top + t.height); y++) {
            for (let x = t.left; x < Math.min(width, t.left + t.width); x++)
              times[y * width + x] = (times[y * width + x] ?? 0) + 1;
          }
        }
        expect(times.every((n) => n === 1)).toBe(true);
      }),
    );
  });

  it("are cut with zeros over the edge and put back where they were", () => {
    // 1 2 3 / 4 5 6, and a tile that reaches one row above and one column to the right
    const map = toPlanes(float([1, 1, 2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)));
    const tile = { top: -1, left: 1, height: 2, width: 3 };
    expect([...crop(map, tile).data]).toEqual([0, 0, 0, 2, 3, 0]);
    expect([...insideMask(2, 3, tile).data]).toEqual([0, 0, 0, 1, 1, 0]);
    const made = planes(3, 5, 2);
    const x = createRng(1).randn([1, 2, 3, 5]);
    for (const t of tilesOf(3, 5, 2)) paste(made, t, crop(toPlanes(x), t));
    expect([...fromPlanes(made).data]).toEqual([...x.data]);
    expect(crop(toPlanes(x), expanded({ top: 1, left: 1, height: 1, width: 2 }, 1)).shape).toEqual([1, 2, 3, 4]);
  });

  it("know mean and deviation of the whole map, group by group", () => {
    // two groups of two channels of two pixels: 1 3 5 7, mean 4, variance 5; 2 2 6 6, mean 4, variance 4
    const { mean, deviation } = statistics(
      toPlanes(float([1, 4, 1, 2], Float32Array.of(1, 3, 5, 7, 2, 2, 6, 6))),
      2,
      0,
    );
    expect([...mean.data]).toEqual([4, 4, 4, 4]);
    expect([...deviation.data]).toEqual([5, 5, 4, 4].map((v) => expect.closeTo(Math.sqrt(v), 6)));
  });

  it("add up to the same statistics from the moments of each tile, also where the mean is far from zero", () => {
    const x = createRng(2).randn([1, 4, 6, 8]);
    const map = { ...x, data: x.data.map((v) => 100 + v) };
    const [values, moments] = [planes(6, 8, 4), planes(6, 8, 4)];
    for (const t of tilesOf(6, 8, 2)) {
      const piece = crop(toPlanes(map), t);
      const rows = Array.from({ length: 4 }, (_, c) => piece.data.subarray(c * 4, c * 4 + 4));
      const mean = rows.map((row) => row.reduce((a, b) => a + b, 0) / 4);
      const spread = rows.map((row, c) => row.reduce((n, v) => n + (v - (mean[c] ?? 0)) ** 2, 0));
      const of = (list: readonly number[]) => float([1, 4], Float32Array.from(list));
      paste(values, t, piece);
      paste(moments, t, piece, { mean: of(mean), spread: of(spread) });
    }
    expect(moments.channels).toEqual(values.channels);
    const [a, b] = [statistics(values, 2, 0), statistics(moments, 2, 0)];
    expect([...b.mean.data]).toEqual([...a.mean.data].map((v) => expect.closeTo(v, 4)));
    expect([...b.deviation.data]).toEqual([...a.deviation.data].map((v) => expect.closeTo(v, 4)));
  });

  it("have a window whose edges are far off, or the picture's own", () => {
    expect(windowAround({ top: 0, left: 8, height: 4, width: 4 }, 4, 30, 3)).toEqual({
      top: 0,
      left: 5,
      height: 4,
      width: 10,
    });
    expect(windowAround({ top: 0, left: 28, height: 4, width: 4 }, 4, 30, 3)).toEqual({
      top: 0,
      left: 20,
      height: 4,
      width: 10,
    });
  });
});

describe("decoding in tiles", { timeout: 240_000 }, async () => {
  /** Latents of real pictures, of a size that no tile divides. */
  const latents: FloatTensor[] = [];
  const prompts = ["a red cartoon character wearing a crown"];
  for await (const e of generate(pair, {
    prompts,
    mode: "distilled",
    seeds: [1, 2],
    size: { width: 120, height: 88 },
  })) {
    if (e.type === "image") latents.push(e.latents);
  }
  const z = stack(latents);

  it.each([7, 12, 29])("gives the picture of the whole decoder, tiles of %i latents", async (tile) => {
    const whole = await decodeLatents(pair.decoder, z, { ...pair.engine, tile: "off" });
    const tiled = await decodeLatents(pair.decoder, z, { ...pair.engine, tile });
    expect(whole.map((image) => [image.width, image.height])).toEqual([
      [120, 88],
      [120, 88],
    ]);
    for (const [i, image] of whole.entries()) expect(farthest(tiled[i] ?? image, image)).toBeLessThanOrEqual(1);
    // Another seed is another picture: the difference above is not small because all pictures are alike.
    expect(tiled[0] && whole[1] && farthest(tiled[0], whole[1])).toBeGreaterThan(50);
  });

  it("is told tile by tile, and stops between two", async () => {
    const request = { prompts: ["x"], mode: "distilled" as const, tile: 7 };
    const told: { done: number; total: number }[] = [];
    for await (const event of generate(pair, request)) if (event.type === "tile") told.push(event);
    const total = told[0]?.total ?? 0;
    expect(total).toBeGreaterThan(9);
    expect(told.map((t) => t.done)).toEqual(Array.from({ length: total }, (_, i) => i + 1));

    const stop = new AbortController();
    const reason = new Error("enough");
    let last = 0;
    const run = async () => {
      for await (const event of generate(pair, request, stop.signal)) {
        if (event.type === "tile") last = event.done;
        if (last === 3) stop.abort(reason);
      }
    };
    await expect(run()).rejects.toBe(reason);
    expect(last).toBe(3);
  });

  it("fails with the error of a tile, once it is read, and releases its sessions", async () => {
    const { runtime } = pair.engine;
    let [calls, open] = [0, 0];
    /** The first call is of the layers at latent resolution; of the first stage the second tile fails. */
    const failing: Runtime = {
      ...runtime,
      async load(...given) {
        const session = await runtime.load(...given);
        open++;
        return {
          ...session,
          run: (...call) => (++calls === 3 ? Promise.reject(new Error("tile 2")) : session.run(...call)),
          async release() {
            open--;
            await session.release();
          },
        };
      },
    };
    const decoder = await openDecoder(failing, componentFolder("vae-sdxl"));
    const tiles = decoder.inTiles(createRng(3).randn([1, decoder.config.latentChannels, 21, 13]), 8);
    expect((await tiles.next()).value).toMatchObject({ done: 1 });
    // The next tile has failed meanwhile; nothing may be thrown before it is asked for.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(tiles.next()).rejects.toThrow("tile 2");
    expect([calls, open]).toEqual([3, 0]);
  });

  it.each(["vae-sdxl", "vae-no-mid-attention", "taesd"])("the same with %s", async (name) => {
    const decoder = await openDecoder(pair.engine.runtime, componentFolder(name));
    const channels = decoder.config.latentChannels;
    const x = createRng(3).randn([1, channels, 61, 45]);
    const [whole] = await decodeLatents(decoder, x, { ...pair.engine, tile: "off" });
    const [tiled] = await decodeLatents(decoder, x, { ...pair.engine, tile: 13 });
    expect(whole && tiled && farthest(tiled, whole)).toBeLessThanOrEqual(1);
    expect(new Set(whole?.data).size).toBeGreaterThan(50);
    await decoder.network.release();
  });
});
