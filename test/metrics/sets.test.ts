import { describe, expect, it } from "vitest";
import { cholesky, nuclearNorm } from "../../src/metrics/frechet.js";
import {
  conditionalRke,
  correlation,
  effectiveRank,
  frechetDistance,
  inceptionScore,
  jackknifeEstimate,
  kernelDistance,
  kernelDistances,
  meanEstimate,
  meanSimilarity,
  neighbours,
  pooledEstimate,
  rankCorrelation,
  replicatesOf,
  replicatesRatio,
  setEstimate,
  varianceSpectrum,
  vendi,
} from "../../src/metrics/index.js";
import { createRng } from "../../src/tensor/index.js";
import { plainProduct, product, rowsOf, transpose } from "../../src/tensor/matrix.js";

const v = (...values: number[]) => Float32Array.from(values);
/** n normals of d features. */
function drawn(seed: number, n: number, d: number): Float32Array[] {
  const { data } = createRng(seed).randn([n, d]);
  return Array.from({ length: n }, (_, i) => data.slice(i * d, (i + 1) * d));
}

describe("vendi", () => {
  it("counts kinds: 1 for copies, n for right angles, whatever the lengths", () => {
    for (const order of [1, 2, Number.POSITIVE_INFINITY] as const) {
      expect(vendi([v(1, 2), v(2, 4), v(3, 6)], order)).toBeCloseTo(1, 9);
      expect(vendi([v(1, 0, 0), v(0, 5, 0), v(0, 0, 2)], order)).toBeCloseTo(3, 9);
    }
  });

  it("weighs an uneven mixture by its order", () => {
    // three of one kind, one of another: shares 3/4 and 1/4
    const set = [v(1, 0), v(1, 0), v(1, 0), v(0, 1)];
    expect(vendi(set, 1)).toBeCloseTo(Math.exp(-(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25))), 9);
    expect(vendi(set, 2)).toBeCloseTo(1 / (0.5625 + 0.0625), 9);
    expect(vendi(set, Number.POSITIVE_INFINITY)).toBeCloseTo(4 / 3, 9);
  });

  it("mean similarity leaves a picture's own out", () => {
    expect(meanSimilarity([v(1, 0), v(0, 1), v(1, 0)])).toBeCloseTo(1 / 3, 9);
    expect(meanSimilarity([v(1, 0)])).toBeNaN();
  });

  it("effective rank counts the directions of variation, not the mean", () => {
    // two directions of equal variance around (5, 5, 5)
    const set = [v(6, 5, 5), v(4, 5, 5), v(5, 6, 5), v(5, 4, 5)];
    expect(effectiveRank(set)).toBeCloseTo(2, 9);
    expect(varianceSpectrum(set)).toEqual([expect.closeTo(0.5, 9), expect.closeTo(0.5, 9)]);
    expect(effectiveRank([v(1, 2), v(1, 2)])).toBeNaN();
  });
});

describe("variety by prompts and by seeds", () => {
  const [a, b] = [v(1, 0, 0, 0), v(0, 1, 0, 0)];
  const [c, d] = [v(0, 0, 1, 0), v(0, 0, 0, 1)];

  it("is all the prompts' where seeds give copies", () => {
    const { total, seeds, prompts } = conditionalRke([
      [a, a],
      [b, b],
    ]);
    expect([total, seeds, prompts]).toEqual([Math.LN2, 0, Math.LN2].map((x) => expect.closeTo(x, 9)));
  });

  it("is all the seeds' where every prompt gives the same set", () => {
    const { total, seeds, prompts } = conditionalRke([
      [a, b],
      [a, b],
    ]);
    expect([total, seeds, prompts]).toEqual([Math.LN2, Math.LN2, 0].map((x) => expect.closeTo(x, 9)));
  });

  it("adds up where both matter, and hears that two prompts are alike", () => {
    const set = [
      [a, b],
      [c, d],
    ];
    expect(conditionalRke(set)).toEqual({
      total: expect.closeTo(Math.log(4), 9),
      seeds: expect.closeTo(Math.LN2, 9),
      prompts: expect.closeTo(Math.LN2, 9),
    });
    // Prompts that say the same explain nothing.
    expect(conditionalRke(set, [v(1, 1), v(2, 2)]).seeds).toBeCloseTo(Math.log(4), 9);
  });
});

describe("neighbours", () => {
  it("counts by hand on a line", async () => {
    // reference 0 1 3, k = 1: radii 1 1 2; pictures 0.5 and 10, radii 9.5 both
    const found = await neighbours([v(0), v(1), v(3)], [v(0.5), v(10)], 1);
    // 0.5 lies in the balls of 0 and 1 (3 is 2.5 away); 10 in none; every reference picture is within 9.5 of 0.5
    expect(found).toEqual({
      precision: 0.5,
      recall: 1,
      density: expect.closeTo(2 / 2, 9),
      coverage: expect.closeTo(2 / 3, 9),
    });
  });

  it("is strict: a picture on the edge is outside", async () => {
    const { precision } = await neighbours([v(0), v(1)], [v(2), v(5)], 1);
    expect(precision).toBe(0);
  });

  it("needs more pictures than neighbours", async () => {
    await expect(neighbours([v(0), v(1)], [v(0), v(1)], 5)).rejects.toThrow(RangeError);
  });
});

describe("distributions", () => {
  it("Fréchet distance of a shifted set is the shift squared", async () => {
    const a = drawn(1, 30, 6);
    const b = a.map((x) => x.map((y, i) => y + (i === 0 ? 3 : 0)));
    expect(await frechetDistance(a, b)).toBeCloseTo(9, 4);
    expect(await frechetDistance(a, a)).toBeCloseTo(0, 8);
  });

  it("Fréchet distance of a stretched axis is (σ₁ − σ₂)²", async () => {
    // one feature: deviations 1 and 3 around 0, unbiased variance 2 and 18
    expect(await frechetDistance([v(-1), v(1)], [v(-3), v(3)])).toBeCloseTo((Math.sqrt(2) - Math.sqrt(18)) ** 2, 6);
  });

  it("gives the same by products alone as by eigenvalues", async () => {
    const between = product(rowsOf(drawn(2, 40, 30)), rowsOf(drawn(3, 55, 30)));
    const [fast, slow] = [await nuclearNorm(between, plainProduct, 0), await nuclearNorm(between, plainProduct)];
    // Thirty singular values of forty: ten directions hold nothing.
    expect(Math.abs(fast / slow - 1)).toBeLessThan(1e-5);
    expect(await nuclearNorm(rowsOf([v(3, 0, 0), v(0, 0, -4)]), plainProduct, 0)).toBeCloseTo(7, 6);
  });

  it("Cholesky factors give the matrix back, also without full rank", () => {
    const x = rowsOf(drawn(4, 3, 5));
    const s = product(transpose(x), transpose(x));
    const r = cholesky(s);
    const again = product(transpose(r), transpose(r));
    for (const [i, value] of s.data.entries()) expect(again.data[i]).toBeCloseTo(value, 9);
  });

  it("kernel distance is unbiased: near 0 for two samples of one world, on both sides of it", async () => {
    const values = [];
    for (let i = 0; i < 20; i++) values.push(await kernelDistance(drawn(100 + i, 20, 8), drawn(200 + i, 25, 8)));
    expect(values.some((x) => x < 0)).toBe(true);
    expect(Math.abs(values.reduce((s, x) => s + x, 0) / 20)).toBeLessThan(0.1);
    expect(
      await kernelDistance(
        drawn(1, 20, 8),
        drawn(2, 20, 8).map((x) => x.map((y) => y + 2)),
      ),
    ).toBeGreaterThan(5);
  });

  it("kernel distance by hand", async () => {
    // one feature, x·y + 1 cubed. a = 0, 1: off-diagonal k = 1. b = 1, 2: k(1,2) = 27. between: 1, 1, 8, 27
    expect(await kernelDistance([v(0), v(1)], [v(1), v(2)])).toBeCloseTo(1 + 27 - (2 * (1 + 1 + 8 + 27)) / 4, 9);
  });

  it("kernel distances of some groups are those of their features alone", async () => {
    const groups = [drawn(1, 6, 8), drawn(2, 3, 8), drawn(3, 7, 8)];
    const real = drawn(4, 20, 8);
    const of = await kernelDistances(groups, real);
    for (const which of [[0, 1, 2], [0, 2], [1]]) {
      const alone = await kernelDistance(
        which.flatMap((g) => groups[g] ?? []),
        [...real],
      );
      expect(of(which)).toBeCloseTo(alone, 9);
    }
    expect(of([])).toBeNaN();
  });

  it("Inception score is the number of sure, evenly seen classes", () => {
    expect(inceptionScore([v(50, 0, 0), v(0, 50, 0), v(0, 0, 50)])).toBeCloseTo(3, 6);
    expect(inceptionScore([v(1, 2, 3), v(1, 2, 3)])).toBeCloseTo(1, 9);
  });
});

describe("estimates of sets", () => {
  const sets = [5, 6, 7, 8, 9].map((seed) => drawn(seed, 12, 4));
  const of = (p: number, pictures: readonly number[]) => vendi(pictures.map((i) => sets[p]?.[i] ?? v(1)));

  it("are means over prompts, with an interval over prompts", () => {
    const e = setEstimate([12, 12, 12, 12, 12], of);
    const { mean, low, high } = meanEstimate(sets.map((s) => [vendi(s)]));
    expect(e).toEqual({ mean, low, high, n: 60 });
    expect(low ?? 9).toBeLessThan(mean);
  });

  it("of whole sets leave out one prompt each, or one of 20 groups", async () => {
    const asked: number[] = [];
    // The mean of squares: as good as any measure of a set.
    const squares = async (at: readonly number[]) => {
      asked.push(at.length);
      return at.reduce((s, i) => s + (i + 1) ** 2, 0) / at.length;
    };
    const { point, without } = await replicatesOf(5, squares);
    expect(jackknifeEstimate(point, without)).toEqual(meanEstimate([1, 4, 9, 16, 25].map((x) => [x])));
    expect(asked).toEqual([5, 4, 4, 4, 4, 4]);
    asked.length = 0;
    expect((await replicatesOf(70, squares)).without.length).toBe(20);
    // 70 units in 20 groups: ten of four and ten of three.
    expect([Math.min(...asked), Math.max(...asked)]).toEqual([66, 70]);
    expect(await replicatesOf(4, squares)).toEqual({ point: 7.5, without: [] });
  });

  it("have ratios over the same units, without one where a divisor is not positive", () => {
    const a = { point: 3, without: [2, 3, 3, 3, 4] };
    const twice = { point: 6, without: [4, 6, 6, 6, 8] };
    const { mean, low, high } = replicatesRatio(a, twice);
    expect([mean, low, high]).toEqual([0.5, 0.5, 0.5].map((v) => expect.closeTo(v, 12)));
    expect(replicatesRatio(a, { point: 1, without: [1, 1, -1, 1, 1] })).toMatchObject({ mean: 3, low: null });
    expect(replicatesRatio(a, { point: -1, without: [1, 1, 1, 1, 1] }).mean).toBeNaN();
  });

  it("leaves out prompts without a value", () => {
    expect(setEstimate([4, 4], (p) => (p === 0 ? Number.NaN : 7))).toMatchObject({ mean: 7, n: 4 });
    expect(setEstimate([4], () => Number.NaN).mean).toBeNaN();
  });

  it("resamples both of two sets", async () => {
    const [a, b] = [drawn(8, 20, 3), drawn(9, 20, 3)];
    const pick = (x: Float32Array[], at: readonly number[]) => at.map((i) => x[i] ?? v());
    const e = await pooledEstimate([20, 20], (i, j) => frechetDistance(pick(a, i), pick(b, j)), 30);
    expect(e.mean).toBeCloseTo(await frechetDistance(a, b), 9);
    expect(e.low ?? 9).toBeLessThan(e.high ?? 0);
  });

  it("correlations see lines and orders", () => {
    expect(correlation([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 9);
    expect(correlation([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 9);
    expect(rankCorrelation([1, 2, 3, 4], [1, 10, 100, 1000])).toBeCloseTo(1, 9);
    // ranks 1.5 1.5 3 against 1 2 3
    expect(rankCorrelation([5, 5, 9], [1, 2, 3])).toBeCloseTo(1.5 / Math.sqrt(1.5 * 2), 9);
  });
});
