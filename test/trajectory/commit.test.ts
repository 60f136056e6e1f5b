import { describe, expect, it } from "vitest";
import { commitCurve, committed, meanDistanceIn, spread } from "../../src/trajectory/index.js";

const look = (...values: number[]) => Float32Array.from(values);

describe("commit curves", () => {
  // Two seeds, three steps, in a plane: seed 0 walks 4 → 1 → 0 from its end, seed 1 is there from the start.
  const ends = [look(0, 0), look(6, 8)];
  const steps = [
    [look(4, 4), look(1, 1), look(0, 0)],
    [look(6, 8), look(6, 8), look(6, 8)],
  ];

  it("are root mean squares to each run's own end", () => {
    const curve = commitCurve("latent", steps, ends);
    expect(curve.perSeed).toEqual([
      [4, 1, 0],
      [0, 0, 0],
    ]);
    expect(curve.mean.map((e) => e.mean)).toEqual([2, 0.5, 0]);
  });

  it("are cosines in feature space", () => {
    const curve = commitCurve("perceptual", [[look(0, 3), look(2, 0)]], [look(5, 0)]);
    expect(curve.perSeed[0]?.[0]).toBeCloseTo(1);
    expect(curve.perSeed[0]?.[1]).toBeCloseTo(0);
  });

  it("spread is the mean distance between seeds at each step", () => {
    // √((2² + 4²) / 2) = √10; √((5² + 7²) / 2) = √37; √((6² + 8²) / 2) = √50.
    expect(spread("latent", steps)?.map((v) => v ** 2)).toEqual([
      expect.closeTo(10, 4),
      expect.closeTo(37, 4),
      expect.closeTo(50, 4),
    ]);
    expect(spread("latent", steps.slice(0, 1))).toBeNull();
    // Of three points on a line, 0, 1 and 3: (1 + 3 + 2) / 3.
    expect(meanDistanceIn("latent", [look(0), look(1), look(3)])).toBeCloseTo(2);
  });

  it("a run has committed when it stays within half the distance between seeds", () => {
    const curve = commitCurve("latent", steps, ends);
    expect(committed(curve, [7, 9], [999, 500, 100], 6)).toEqual([
      { seed: 7, step: 1, share: 2 / 3, timestep: 500 },
      { seed: 9, step: 0, share: 1 / 3, timestep: 999 },
    ]);
    // One that comes near and leaves again has not.
    const wavering = commitCurve("latent", [[look(1, 1), look(9, 9), look(0, 0)]], [look(0, 0)]);
    expect(committed(wavering, [0], [999, 500, 100], 6)[0]?.step).toBe(2);
  });
});
