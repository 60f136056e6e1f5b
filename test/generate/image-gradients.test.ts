import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openImageGradients } from "../../src/generate/image-gradients.js";
import { generateImages } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { featureForces, particles, particlesAlong } from "../../src/sampling/hooks/particles.js";
import { type FloatTensor, float, sample } from "../../src/tensor/index.js";
import { description, expectClose, tensors } from "../support/parity.js";

const { size } = description(
  "image-gradients",
  z.object({ size: z.object({ width: z.number(), height: z.number() }) }),
);
const recorded = await tensors("image-gradients");
/** Where a byte of a decoded image is rounded otherwise by torch, its gradient changes by 0.001 to 0.008. */
const WITHIN = 3e-3;
const pair = await openPair();
afterAll(() => pair.close());

const x0 = recorded.float("x0");
const forces = recorded.float("forces");
const group = [0, 1, 2].map((i) => sample(x0, i));
const row = (x: FloatTensor, i: number) => float([x.shape[1] ?? 0], sample(x, i).data);

describe("gradients of image features", () => {
  it("are those of torch through the decoder, the resize and CLIP", async () => {
    const gradients = await openImageGradients(pair, size);
    const pulled = await gradients.pull(group, (features) => {
      for (const [i, feature] of features.entries())
        expectClose(feature, row(recorded.float("features"), i), { within: WITHIN, what: "features" });
      return features.map((_, i) => row(forces, i));
    });
    await gradients.release();
    for (const [i, gradient] of pulled.entries())
      expectClose(gradient, sample(recorded.float("gradients"), i), { within: WITHIN, what: "gradient" });
  });

  it("move each sample as far as the form in latents does, along its gradient", () => {
    const towards = group.map((x) =>
      float(
        x.shape,
        x.data.map((v) => v ** 3),
      ),
    );
    const moved = particlesAlong({ scale: 0.3 }, group, towards);
    const plain = particles({ scale: 0.3 }, group);
    for (const [i, own] of group.entries()) {
      const step = difference(moved[i], own);
      expect(length(step)).toBeCloseTo(length(difference(plain[i], own)), 4);
      expect(dot(step, towards[i]?.data ?? step) / (length(step) * length(towards[i]?.data ?? step))).toBeCloseTo(1, 5);
    }
  });

  it("leave samples without a force as they are", () => {
    const same = group.map(() => group[0] ?? x0);
    const still = featureForces(same.map(() => float([3], Float32Array.of(1, 2, 3))));
    expect(still.every(({ data }) => data.every((v) => v === 0))).toBe(true);
    expect(
      particlesAlong(
        { scale: 1 },
        group,
        group.map(({ shape }) => float(shape)),
      ),
    ).toEqual(group);
  });
});

describe("particles in CLIP features", () => {
  const request = { prompt: "a cartoon character", mode: "distilled" } as const;
  const diversity = (scale: number) => [{ method: "particles", space: "clip", scale } as const];

  it("change images, all seeds of a prompt together, and repeat to the bit", async () => {
    const seeds = { seeds: [0, 1] };
    const [plain, apart, again, off] = [
      await generateImages(pair, { ...request, ...seeds }),
      await generateImages(pair, { ...request, ...seeds, diversity: diversity(1) }),
      await generateImages(pair, { ...request, ...seeds, diversity: diversity(1) }),
      await generateImages(pair, { ...request, ...seeds, diversity: diversity(0) }),
    ];
    for (const [i, { data }] of plain.entries()) {
      expect(apart[i]?.data).not.toEqual(data);
      expect(again[i]?.data).toEqual(apart[i]?.data);
      expect(off[i]?.data).toEqual(data);
    }
  });

  it("are refused without a CLIP, and where the decoder's gradient does not fit", async () => {
    await expect(openImageGradients({ ...pair, clip: async () => null }, size)).rejects.toThrow(
      /needs a CLIP, and the pair names none: name a CLIPModel with --clip/,
    );
    await expect(openImageGradients({ ...pair, engine: { ...pair.engine, memoryBudget: 1e6 } }, size)).rejects.toThrow(
      /needs .* for the gradient of the decoder at 96 × 80, above half of the memory budget of/,
    );
  });
});

const difference = (a: FloatTensor | undefined, b: FloatTensor) => b.data.map((v, i) => (a?.data[i] ?? Number.NaN) - v);
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, v, i) => sum + v * (b[i] ?? 0), 0);
const length = (v: Float32Array) => Math.sqrt(dot(v, v));
