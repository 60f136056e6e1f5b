import { describe, expect, it } from "vitest";
import { fittedScale, softmax, uniform, valueProbabilities } from "../../src/metrics/index.js";

const v = (...values: number[]) => Float32Array.from(values);

describe("zero-shot values", () => {
  const texts = [v(1, 0), v(0, 1)];

  it("are likelier the nearer their text is, whatever the lengths", () => {
    const p = valueProbabilities([v(2, 1), v(1, 2), v(3, 0), v(0, 0.1)], texts, 3);
    expect(p.map((own) => Number((own[1] ?? 0) > 0.5))).toEqual([0, 1, 0, 1]);
    // Cosines 2/√5 and 1/√5, times 3: the probability of the first is 1 / (1 + e^(−3/√5)).
    expect(p[0]?.[0]).toBeCloseTo(1 / (1 + Math.exp(-3 / Math.sqrt(5))), 6);
    expect((p[0]?.[0] ?? 0) + (p[0]?.[1] ?? 0)).toBeCloseTo(1, 9);
  });

  it("have the inverse temperature that makes labelled images likeliest", () => {
    const random = uniform(5);
    // Labels drawn at an inverse temperature of 4.
    const images = Array.from({ length: 1500 }, () => [2 * random() - 1, 2 * random() - 1]);
    const at = (scale: number) => images.map((x) => softmax(x.map((l) => scale * l)));
    const labels = at(4).map((p) => Number(random() > (p[0] ?? 0)));
    expect(fittedScale(at, labels, 100)).toBeGreaterThan(3.4);
    expect(fittedScale(at, labels, 100)).toBeLessThan(4.6);
    // Labels that say nothing about the images leave no certainty; right ones all of it.
    expect(
      fittedScale(
        at,
        labels.map(() => Number(random() > 0.5)),
        100,
      ),
    ).toBeLessThan(0.5);
    expect(
      fittedScale(
        at,
        at(1).map((p) => Number((p[1] ?? 0) > 0.5)),
        30,
      ),
    ).toBe(30);
  });
});
