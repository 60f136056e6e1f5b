import { describe, expect, it } from "vitest";
import { guide, tokenNormed } from "../../src/sampling/index.js";
import { float } from "../../src/tensor/index.js";

const tensor = (...values: number[]) => float([2, 1, 1, 2], Float32Array.from(values));

describe("guide", () => {
  const cond = tensor(1, 3, 10, 20);
  const uncond = tensor(0, 4, 10, 16);

  it("goes from the unconditional output through the conditional one", () => {
    // 0 + 3 (1 − 0), 4 + 3 (3 − 4), 10 + 0, 16 + 3 · 4.
    expect([...guide(cond, uncond, 3).data]).toEqual([3, 1, 10, 28]);
    expect([...guide(cond, uncond, 1).data]).toEqual([1, 3, 10, 20]);
    expect([...guide(cond, uncond, 0).data]).toEqual([0, 4, 10, 16]);
  });

  it("pulls each sample's spread back by its own measure", () => {
    // Sample 0: spread √2 in cond and in guided: nothing changes. Sample 1: guided spreads 18/√2, cond 10/√2: times 10/18.
    const full = guide(cond, uncond, 3, 1).data;
    [3, 1, 10 * (10 / 18), 28 * (10 / 18)].forEach((want, i) => {
      expect(full[i]).toBeCloseTo(want, 5);
    });
    // Half way: 0.5 · 10/18 + 0.5 = 14/18.
    const half = guide(cond, uncond, 3, 0.5);
    expect(half.shape).toEqual([2, 1, 1, 2]);
    [3, 1, 10 * (14 / 18), 28 * (14 / 18)].forEach((want, i) => {
      expect(half.data[i]).toBeCloseTo(want, 5);
    });
  });

  it("refuses outputs that do not match", () => {
    expect(() => guide(cond, float([1, 2]), 3)).toThrow(RangeError);
  });
});

describe("tokenNormed", () => {
  it("gives each token of 2 × 2 latents the norm of the conditional one, over its channels", () => {
    const shape = [1, 2, 2, 4];
    // Two tokens beside each other: the left one has values in both channels, the right one in the second.
    const guided = float(shape, Float32Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 4, 8, 0));
    const cond = float(shape, Float32Array.of(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5));
    // Norms 5 and 10 become 1 and 5.
    const expected = [0.6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0.8, 4, 0];
    const { shape: made, data } = tokenNormed(guided, cond, 2);
    expect(made).toEqual([1, 2, 2, 4]);
    for (const [i, want] of expected.entries()) expect(data[i]).toBeCloseTo(want, 6);
  });

  it("leaves a token of zeros as it is", () => {
    const zeros = float([1, 1, 2, 2]);
    expect([...tokenNormed(zeros, float([1, 1, 2, 2], Float32Array.of(1, 2, 3, 4)), 2).data]).toEqual([0, 0, 0, 0]);
  });
});
