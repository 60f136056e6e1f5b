import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  FEWEST,
  jackknifeEstimate,
  meanEstimate,
  ratioEstimate,
  studentQuantile,
  uniform,
} from "../../src/metrics/index.js";
import { description } from "../support/parity.js";

const interval = z.tuple([z.number(), z.number()]);
const { quantiles, cases, bca } = description(
  "intervals",
  z.object({
    quantiles: z.record(z.string(), z.number()),
    cases: z.record(
      z.string(),
      z.object({ a: z.array(z.number()), b: z.array(z.number()), linear: interval, log: interval, ratio: interval }),
    ),
    bca: z.record(z.string(), z.record(z.string(), z.number())),
  }),
);

describe("intervals of scipy", () => {
  it.each(Object.entries(quantiles))("t quantile at %s degrees of freedom", (degrees, expected) => {
    expect(Math.abs(studentQuantile(Number(degrees)) / expected - 1)).toBeLessThan(4e-4);
  });

  it.each(Object.entries(cases))("means and ratios of %s prompts", (_, { a, b, ...expected }) => {
    const each = a.map((v) => [v]);
    const found = [
      [meanEstimate(each, "linear"), expected.linear],
      [meanEstimate(each), expected.log],
      [ratioEstimate(a, b), expected.ratio],
    ] as const;
    for (const [{ low, high }, [from, to]] of found) {
      // Only the quantile differs, by 3e-4 of the width, or of the logarithm's.
      expect(Math.abs((low ?? 0) - from)).toBeLessThan(1e-3 * Math.abs(to));
      expect(Math.abs((high ?? 0) - to)).toBeLessThan(1e-3 * Math.abs(to));
    }
  });
});

const TRIALS = 4000;

/** Normal and gamma random numbers: Box–Muller, and sums of `shape` exponentials. Both have the mean given. */
function distributions(random: () => number) {
  const normal = (mean: number, deviation: number) =>
    mean + deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const gamma = (shape: number, mean: number) => {
    let product = 1;
    for (let i = 0; i < shape; i++) product *= 1 - random();
    return (-Math.log(product) * mean) / shape;
  };
  return { normal, gamma };
}

describe("nominal 95 % intervals over few prompts", () => {
  const { normal, gamma } = distributions(uniform(7));
  const pairs = (n: number, b: () => number, share: () => number) => {
    const below = Array.from({ length: n }, b);
    return ratioEstimate(
      below.map((v) => v * share()),
      below,
    );
  };
  const mean = (n: number, draw: () => number, scale: "log" | "linear") =>
    meanEstimate(
      Array.from({ length: n }, () => [draw()]),
      scale,
    );
  // Shape 2 has the skew of CLIP distances over prompts, shape 8 that of their ratios.
  const kinds = [
    { name: "mean normal", truth: 1, estimate: (n: number) => mean(n, () => normal(1, 0.3), "log") },
    { name: "mean gamma", truth: 1, estimate: (n: number) => mean(n, () => gamma(2, 1), "log") },
    {
      name: "ratio normal",
      truth: 0.8,
      estimate: (n: number) =>
        pairs(
          n,
          () => normal(1, 0.25),
          () => normal(0.8, 0.15),
        ),
    },
    {
      name: "ratio gamma",
      truth: 0.8,
      estimate: (n: number) =>
        pairs(
          n,
          () => gamma(2, 1),
          () => gamma(8, 0.8),
        ),
    },
    {
      name: "change of either sign",
      truth: 0.2,
      estimate: (n: number) => mean(n, () => gamma(4, 1) - gamma(4, 0.8), "linear"),
    },
  ];

  it.each(kinds)("cover at least 93 %: $name", ({ name, truth, estimate }) => {
    for (const n of [5, 6, 8, 10, 12, 16]) {
      let held = 0;
      for (let i = 0; i < TRIALS; i++) {
        const { low, high } = estimate(n);
        if (low !== null && high !== null && low <= truth && truth <= high) held++;
      }
      const covered = held / TRIALS;
      expect(covered, `${n} prompts`).toBeGreaterThanOrEqual(0.93);
      // Not by being too wide.
      expect(covered, `${n} prompts`).toBeLessThanOrEqual(0.98);
      // A BCa bootstrap of the same distribution covers less.
      expect(covered, `${n} prompts`).toBeGreaterThan(bca[name]?.[n] ?? 0);
    }
  });
});

describe("the jackknife", () => {
  it("is t √(Σ (x − x̄)² / (n − 1)²) around a mean", () => {
    // Deviations −2 … 2: Σ = 10, (n − 1)² = 16, so 2.776 √0.625 = 2.195.
    const { mean, low, high, n } = meanEstimate([[1], [2], [3], [4], [5]], "linear");
    expect([mean, low, high]).toEqual([3, 0.806, 5.194].map((v) => expect.closeTo(v, 2)));
    expect(n).toBe(5);
  });

  it("is the same of logarithms for a ratio, whose ends are reciprocal", () => {
    const [a, b] = [
      [1, 2, 3, 4, 7],
      [2, 2, 5, 4, 9],
    ];
    const [there, back] = [ratioEstimate(a, b), ratioEstimate(b, a)];
    expect(there.mean).toBeCloseTo(17 / 22, 12);
    expect((there.low ?? 0) * (back.high ?? 0)).toBeCloseTo(1, 9);
    expect((there.high ?? 0) * (back.low ?? 0)).toBeCloseTo(1, 9);
  });

  it(`has no interval for fewer than ${FEWEST} units, nor where one of them is all there is to divide by`, () => {
    expect(meanEstimate([[1], [2], [3], [4]])).toEqual({ mean: 2.5, low: null, high: null, n: 4 });
    expect(ratioEstimate([1, 1, 1, 1, 1], [0, 0, 0, 0, 2])).toEqual({ mean: 2.5, low: null, high: null, n: 5 });
  });

  it("is linear where a value without one unit is 0", () => {
    const { low, high } = jackknifeEstimate(1, [0, 1, 1, 1, 2], "log");
    expect((low ?? 0) + (high ?? 0)).toBeCloseTo(2, 9);
  });
});
