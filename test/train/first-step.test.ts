import { describe, expect, it } from "vitest";
import { CLEAN, combine } from "../../src/sampling/index.js";
import { createRng, type FloatTensor, float } from "../../src/tensor/index.js";
import { firstStepTarget, type Predict, studentRun, type TrainedLevel } from "../../src/train/index.js";

const level = (t: number, alpha: number): TrainedLevel => ({
  timestep: t,
  level: { t, alpha, sigma: Math.sqrt(1 - alpha * alpha) },
});
const levels = [level(999, 0.1), level(599, 0.5), level(199, 0.9)];
const shape = [1, 2, 3, 5];
const noise = levels.map((_, i) => [createRng(i).randn(shape)]);
/** A network that always predicts this ε, and notes the timesteps that it is called at. */
function constant(value: number) {
  const at: number[] = [];
  const predict: Predict = async (batch) => {
    at.push(batch.at[0]?.timestep ?? Number.NaN);
    return batch.latents.map((x) =>
      float(
        x.shape,
        x.data.map(() => value),
      ),
    );
  };
  return { at, predict };
}

describe("the first step of a model that keeps its diversity", () => {
  it("is the base's in a hybrid run, and the others the student's", async () => {
    const [base, student] = [constant(0.2), constant(-0.1)];
    const run = { conditioning: [{ streams: {} }], noise, step: 2, first: base.predict };
    const { clean } = await studentRun(student.predict, { levels, prediction: "epsilon" }, run);
    expect([base.at, student.at]).toEqual([[999], [599, 199]]);
    const x0 = (x: FloatTensor, eps: number, at: TrainedLevel) =>
      float(
        shape,
        x.data.map((v) => (v - at.level.sigma * eps) / at.level.alpha),
      );
    const [first, second, third] = levels as [TrainedLevel, TrainedLevel, TrainedLevel];
    const again = (x: FloatTensor, at: TrainedLevel, i: number) =>
      combine([at.level.alpha, x], [at.level.sigma, noise[i]?.[0] ?? x]);
    const expected = x0(
      again(x0(again(x0(noise[0]?.[0] ?? float(shape), 0.2, first), second, 1), -0.1, second), third, 2),
      -0.1,
      third,
    );
    for (const [i, v] of expected.data.entries()) expect(clean[0]?.x0.data[i]).toBeCloseTo(v, 4);
  });

  it("learns the output whose x0 is the image itself, where the run ends without noise", () => {
    const [xt, image] = [createRng(7).randn(shape), createRng(8).randn(shape)];
    const first = level(999, 0.1);
    const { target } = firstStepTarget("epsilon", first, { timestep: 0, level: CLEAN }, [xt, image], 1);
    for (const [i, v] of image.data.entries()) {
      const x0 = ((xt.data[i] ?? 0) - first.level.sigma * (target.data[i] ?? 0)) / first.level.alpha;
      expect(x0).toBeCloseTo(v, 4);
    }
  });
});
