import { describe, expect, it } from "vitest";
import { z } from "zod";
import { mean, mutualInformation, shannonEntropy, softmax, uniform } from "../../src/metrics/index.js";
import { createRng } from "../../src/tensor/index.js";
import { description } from "../support/parity.js";

/** H(mean p) − mean H(p), without correction. */
const plugIn = (p: readonly (readonly number[])[]) =>
  shannonEntropy((p[0] ?? []).map((_, k) => mean(p.map((own) => own[k] ?? 0)))) - mean(p.map(shannonEntropy));

describe("mutual information", () => {
  it("is the entropy of the values for certain images, less its bias", () => {
    const [a, b] = [
      [1, 0],
      [0, 1],
    ];
    expect(mutualInformation([a, a, a])).toBe(0);
    // n = 2: 2 ln 2 less the mean of two zeros, and at most ln 2; with three values at most ln 3.
    expect(mutualInformation([a, b])).toBeCloseTo(Math.LN2, 12);
    expect(
      mutualInformation([
        [1, 0, 0],
        [0, 1, 0],
      ]),
    ).toBeCloseTo(Math.log(3), 12);
    expect(mutualInformation([a])).toBeNaN();
  });

  it("is that of two uncertain images, worked out by hand", () => {
    // Mean (.5, .5); each left-out rest is the other image, of the same entropy h: 2 ln 2 − h − h, capped at ln 2.
    const h = shannonEntropy([0.7, 0.3]);
    expect(h).toBeCloseTo(0.610864, 6);
    const two = [
      [0.7, 0.3],
      [0.3, 0.7],
    ];
    expect(mutualInformation(two)).toBeCloseTo(2 * Math.LN2 - 2 * h, 12);
    expect(mutualInformation([...two, [0.5, 0.5]], [0, 1])).toBeCloseTo(2 * Math.LN2 - 2 * h, 12);
  });

  it("is nothing for a classifier that knows nothing, whose most likely values are spread", () => {
    const random = uniform(3);
    const blind = Array.from({ length: 96 }, () => softmax([0, 1, 2].map(() => 0.2 * random())));
    const likeliest = blind.map((p) => p.map((x) => Number(x === Math.max(...p))));
    expect(plugIn(likeliest)).toBeGreaterThan(1);
    expect(mutualInformation(blind)).toBeLessThan(0.01);
  });

  /** Values drawn from `prior`, seen with logits of `sharpness` for the true value and noise. */
  const simulated = (prior: readonly number[], sharpness: number, n: number, random: () => number) =>
    Array.from({ length: n }, () => {
      const at = random();
      const value = prior.findIndex((_, k) => at < prior.slice(0, k + 1).reduce((a, b) => a + b, 0));
      return softmax(prior.map((_, k) => (k === value ? sharpness : 0) + random()));
    });

  it.each([
    ["eight equal values, certain", Array.from({ length: 8 }, () => 1 / 8), 40],
    ["eight equal values, uncertain", Array.from({ length: 8 }, () => 1 / 8), 2.5],
    ["three equal values, uncertain", [1 / 3, 1 / 3, 1 / 3], 2],
    ["five values, one frequent, certain", [0.6, 0.1, 0.1, 0.1, 0.1], 40],
  ])("has less bias than the uncorrected estimate at 4, 8, 16 and 64 images: %s", (_, prior, sharpness) => {
    const random = uniform(11);
    const truth = plugIn(simulated(prior, sharpness, 20_000, random));
    for (const n of [4, 8, 16, 64]) {
      const trials = Array.from({ length: 600 }, () => simulated(prior, sharpness, n, random));
      const bias = (of: (p: number[][]) => number) => mean(trials.map(of)) - truth;
      const [corrected, plain] = [bias((p) => mutualInformation(p)), bias(plugIn)];
      expect(plain, `${n} images`).toBeLessThan(0);
      expect(Math.abs(corrected), `${n} images`).toBeLessThan(0.6 * Math.abs(plain));
    }
  });
});

describe("mutual information by SciPy's entropies", () => {
  const logits = z.object({ seed: z.number(), shape: z.tuple([z.number(), z.number()]), scale: z.number() });
  const schema = z.object({
    cases: z.record(z.string(), z.object({ logits, plain: z.number(), jackknife: z.number() })),
  });
  const { cases } = description("information", schema);

  it.each(Object.entries(cases))("%s: the jackknife of each image left out", (_, golden) => {
    const { seed, shape, scale } = golden.logits;
    const { data } = createRng(seed).randn(shape);
    const p = Array.from({ length: shape[0] }, (_, i) => {
      return softmax(data.slice(i * shape[1], (i + 1) * shape[1]).map((v) => v * Math.fround(scale)));
    });
    expect(plugIn(p)).toBeCloseTo(golden.plain, 6);
    expect(mutualInformation(p)).toBeCloseTo(golden.jackknife, 6);
  });
});
