import { describe, expect, it } from "vitest";
import { predictValues, prior } from "../../src/metrics/index.js";

const v = (...values: number[]) => Float32Array.from(values);

describe("zero-shot values", () => {
  const texts = [v(1, 0), v(0, 1)];

  it("are those of the nearest text, whatever the lengths", () => {
    const predicted = predictValues([v(2, 1), v(1, 2), v(3, 0), v(0, 0.1)], texts);
    expect(predicted.map((s) => s.value)).toEqual([0, 1, 0, 1]);
    // Cosines 2/√5 and 1/√5, times 3: the probability of the first is 1 / (1 + e^(−3/√5)).
    expect(predictValues([v(2, 1)], texts, undefined, 3)[0]?.probability).toBeCloseTo(
      1 / (1 + Math.exp(-3 / Math.sqrt(5))),
      6,
    );
  });

  it("are calibrated by what the texts make of images without content", () => {
    // Blank images prefer the first text; an image that prefers it less than they do shows the second.
    const given = prior([v(1, 0.9)], texts, 10);
    expect(given[0]).toBeGreaterThan(0.5);
    expect((given[0] ?? 0) + (given[1] ?? 0)).toBeCloseTo(1, 9);
    expect(predictValues([v(1, 0.95)], texts, undefined, 10)[0]?.value).toBe(0);
    expect(predictValues([v(1, 0.95)], texts, given, 10)[0]?.value).toBe(1);
  });
});
