import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import {
  addNoise,
  levelOfAlphaBar,
  levelOfFlowSigma,
  type NoiseLevel,
  type Prediction,
} from "../../src/sampling/index.js";
import { checkPrediction, predict } from "../../src/sampling/parameterisation.js";
import { createRng, type FloatTensor, float } from "../../src/tensor/index.js";

const tensor = (...values: number[]): FloatTensor => float([1, 1, 1, values.length], Float32Array.from(values));
const near = (actual: FloatTensor, ...expected: number[]) =>
  expect([...actual.data]).toEqual(expected.map((value) => expect.closeTo(value, 5)));

/** The output of a perfect network. */
const outputs: { readonly [K in Prediction]: (x0: number, eps: number, level: NoiseLevel) => number } = {
  epsilon: (_x0, eps) => eps,
  v_prediction: (x0, eps, { alpha, sigma }) => alpha * eps - sigma * x0,
  sample: (x0) => x0,
  flow_prediction: (x0, eps) => eps - x0,
  // F = (x0 − c_skip x) / c_out with c_in = α, c_skip = σ_data² α² and c_out = σ σ_data: σ_data α = √(1 − σ²).
  edm: (x0, eps, level) => edmOutput(x0, eps, level),
  edm_v: (x0, eps, level) => -edmOutput(x0, eps, level),
};

function edmOutput(x0: number, eps: number, { alpha, sigma }: NoiseLevel): number {
  const data = Math.sqrt(1 - sigma ** 2) / alpha;
  const noisy = x0 + (sigma / alpha) * eps;
  return (x0 - (data * alpha) ** 2 * noisy) / (sigma * data);
}

describe("flow prediction", () => {
  it("is x0 = x − σ v and ε = x + (1 − σ) v at a flow level", () => {
    // x0 = 2, −1 and ε = 4, 1: v = 2, 2; x = 0.25 x0 + 0.75 ε = 3.5, 0.5.
    const { x0, eps } = predict("flow_prediction", levelOfFlowSigma(750, 0.75), tensor(3.5, 0.5), tensor(2, 2));
    near(x0, 2, -1);
    near(eps, 4, 1);
  });

  it("is (x − σ v) / (α + σ) at a variance-preserving level", () => {
    // x = 0.6 · 2 + 0.8 · 4 = 4.4, 0.6 · −1 + 0.8 · 1 = 0.2; (4.4 − 0.8 · 2) / 1.4 = 2.
    const { x0, eps } = predict("flow_prediction", levelOfAlphaBar(0, 0.36), tensor(4.4, 0.2), tensor(2, 2));
    near(x0, 2, -1);
    near(eps, 4, 1);
  });

  it("clips x0 and leaves ε unchanged", () => {
    const { x0, eps } = predict("flow_prediction", levelOfFlowSigma(750, 0.75), tensor(3.5, 0.5), tensor(2, 2), 1.5);
    near(x0, 1.5, -1);
    near(eps, 4, 1);
  });
});

describe("every prediction type", () => {
  const level: fc.Arbitrary<NoiseLevel> = fc
    .tuple(fc.boolean(), fc.double({ min: 0.05, max: 0.95, noNaN: true }))
    .map(([flow, x]) => (flow ? levelOfFlowSigma(1000 * x, x) : levelOfAlphaBar(0, x)));
  const types = fc.constantFrom<Prediction>("epsilon", "v_prediction", "sample", "flow_prediction", "edm", "edm_v");
  /** v is defined for variance-preserving levels. */
  const cases = fc
    .tuple(types, level, fc.integer({ min: 0, max: 1000 }))
    .filter(([type, { alpha, sigma }]) => type !== "v_prediction" || Math.abs(alpha ** 2 + sigma ** 2 - 1) < 1e-9);

  it("recovers x0 and ε, which recombine to x_t", () => {
    fc.assert(
      fc.property(cases, ([type, at, seed]) => {
        const rng = createRng(seed);
        const [x0, eps] = [rng.randn([1, 2, 3, 5]), rng.randn([1, 2, 3, 5])];
        const xt = addNoise(x0, eps, at);
        const output = float(
          x0.shape,
          x0.data.map((v, i) => outputs[type](v, eps.data[i] ?? 0, at)),
        );
        const predicted = predict(type, at, xt, output);
        const again = addNoise(predicted.x0, predicted.eps, at);
        xt.data.forEach((v, i) => {
          expect(predicted.x0.data[i]).toBeCloseTo(x0.data[i] ?? 0, 4);
          expect(predicted.eps.data[i]).toBeCloseTo(eps.data[i] ?? 0, 4);
          expect(again.data[i]).toBeCloseTo(v, 5);
        });
      }),
    );
  });

  it("determines x0 at pure noise, except ε", () => {
    const noise = levelOfFlowSigma(1000, 1);
    expect(() => checkPrediction("epsilon", noise)).toThrow(RequestError);
    for (const type of ["v_prediction", "sample", "flow_prediction"] as const) checkPrediction(type, noise);
  });
});
