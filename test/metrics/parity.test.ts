import { describe, expect, it } from "vitest";
import { z } from "zod";
import { frechetDistance, inceptionScore, kernelDistance, neighbours, vendi } from "../../src/metrics/index.js";
import { createRng } from "../../src/tensor/index.js";
import { description } from "../support/parity.js";

const grown = z.object({
  seed: z.number(),
  shape: z.tuple([z.number(), z.number()]),
  scale: z.number(),
  shift: z.number(),
});
const schema = z.object({
  k: z.number(),
  cases: z.record(
    z.string(),
    z.object({
      reference: grown,
      pictures: grown,
      logits: grown,
      frechet: z.number(),
      kernel: z.object({ pictures: z.number(), value: z.number() }),
      score: z.number(),
      neighbours: z.object({ precision: z.number(), recall: z.number(), density: z.number(), coverage: z.number() }),
      vendi: z.object({ "1": z.number(), "2": z.number(), inf: z.number(), dual: z.number() }),
    }),
  ),
});

function features({ seed, shape, scale, shift }: z.output<typeof grown>): Float32Array[] {
  const [n, d] = shape;
  const { data } = createRng(seed).randn(shape);
  return Array.from({ length: n }, (_, i) =>
    data.slice(i * d, (i + 1) * d).map((v) => Math.fround(Math.fround(v * Math.fround(scale)) + Math.fround(shift))),
  );
}

/** Relative difference. */
const off = (actual: number, expected: number) => Math.abs(actual / expected - 1);

const { k, cases } = description("metrics", schema);

describe.each(Object.entries(cases))("%s sets", (_, golden) => {
  const [reference, pictures] = [features(golden.reference), features(golden.pictures)];

  it("Fréchet distance is torch-fidelity's", async () => {
    expect(off(await frechetDistance(pictures, reference), golden.frechet)).toBeLessThan(1e-4);
  });

  it("kernel distance is torch-fidelity's", async () => {
    const some = (x: Float32Array[]) => x.slice(0, golden.kernel.pictures);
    expect(off(await kernelDistance(some(pictures), some(reference)), golden.kernel.value)).toBeLessThan(1e-4);
  });

  it("Inception score is torch-fidelity's", () => {
    expect(off(inceptionScore(features(golden.logits)), golden.score)).toBeLessThan(1e-4);
  });

  it("neighbours are prdc's", async () => {
    const found = await neighbours(reference, pictures, k);
    for (const [name, value] of Object.entries(golden.neighbours)) {
      expect(Object.entries(found).find(([key]) => key === name)?.[1], name).toBeCloseTo(value, 9);
    }
  });

  it("Vendi scores of all orders are vendi-score's, and its dual form's", () => {
    expect(off(vendi(pictures, 1), golden.vendi["1"])).toBeLessThan(1e-4);
    expect(off(vendi(pictures, 2), golden.vendi["2"])).toBeLessThan(1e-4);
    expect(off(vendi(pictures, Number.POSITIVE_INFINITY), golden.vendi.inf)).toBeLessThan(1e-4);
    expect(off(vendi(pictures, 1), golden.vendi.dual)).toBeLessThan(1e-4);
  });
});
