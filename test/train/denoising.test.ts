import { describe, expect, it } from "vitest";
import { levelOfAlphaBar, levelOfFlowSigma } from "../../src/sampling/index.js";
import { createRng, float } from "../../src/tensor/index.js";
import { noisySample, offsetNoise } from "../../src/train/index.js";

const x0 = float([1, 1, 1, 2], Float32Array.of(1, -2));
const eps = float([1, 1, 1, 2], Float32Array.of(0.5, 3));
/** α = 0.8, σ = 0.6: a signal-to-noise ratio of 16/9. */
const level = levelOfAlphaBar(300, 0.64);
const of = (o: Partial<Parameters<typeof noisySample>[2]>) =>
  noisySample(x0, eps, { level, prediction: "epsilon", ...o });
const close = (actual: Float32Array, expected: readonly number[]) => {
  for (const [i, v] of expected.entries()) expect(actual[i]).toBeCloseTo(v, 5);
};

describe("noisySample", () => {
  it("mixes x0 and ε, and asks for what the model predicts", () => {
    close(of({}).xt.data, [0.8 + 0.3, -1.6 + 1.8]);
    close(of({}).target.data, [0.5, 3]);
    // v = α ε − σ x0.
    close(of({ prediction: "v_prediction" }).target.data, [0.4 - 0.6, 2.4 + 1.2]);
    close(of({ prediction: "sample" }).target.data, [1, -2]);
    const flow = of({ prediction: "flow_prediction", level: levelOfFlowSigma(250, 0.25) });
    close(flow.xt.data, [0.75 + 0.125, -1.5 + 0.75]);
    close(flow.target.data, [-0.5, 5]);
  });

  it("asks for −x0 at zero terminal SNR", () => {
    const end = of({ prediction: "v_prediction", level: levelOfAlphaBar(999, 0) });
    close(end.xt.data, [0.5, 3]);
    close(end.target.data, [-1, 2]);
  });

  it("weights an error as the papers do", () => {
    const snr = 16 / 9;
    expect(of({}).weight).toBe(1);
    expect(of({ weighting: "min-snr", gamma: 1 }).weight).toBeCloseTo(1 / snr, 6);
    expect(of({ weighting: "min-snr" }).weight).toBeCloseTo(1, 6);
    expect(of({ weighting: "min-snr", gamma: 1, prediction: "v_prediction" }).weight).toBeCloseTo(1 / (snr + 1), 6);
    expect(of({ weighting: "debiased" }).weight).toBeCloseTo(0.75, 6);
  });
});

describe("offsetNoise", () => {
  it("adds one value to each channel, after the noise", () => {
    const [shape, offset] = [[1, 4, 2, 3], 0.5];
    const [plain, moved] = [createRng(3).randn(shape), offsetNoise(createRng(3), shape, offset)];
    const by = [...moved.data].map((v, i) => v - (plain.data[i] ?? 0));
    const rng = createRng(3);
    rng.randn(shape);
    const { data } = rng.randn([4]);
    for (const [i, v] of by.entries()) expect(v).toBeCloseTo(offset * (data[Math.floor(i / 6)] ?? 0), 5);
    expect(offsetNoise(createRng(3), shape, 0)).toEqual(plain);
  });
});
