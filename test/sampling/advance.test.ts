import { describe, expect, it } from "vitest";
import {
  advance,
  levelOfFlowSigma,
  makePlan,
  type NoiseLevel,
  type Prediction,
  type Row,
  renoiseRow,
  type SamplerConfig,
  type SolverSpec,
  type StepRow,
  schedule,
} from "../../src/sampling/index.js";
import { linearStep } from "../../src/sampling/solver-spec.js";
import { createRng, type FloatTensor, float } from "../../src/tensor/index.js";
import { flowScheduler, scheduler } from "./configs.js";

/** A level with alpha 0.6 and sigma 0.8, and one with alpha 0.8 and sigma 0.6: every product below can be done in the head. */
const NOISY: NoiseLevel = { t: 800, alpha: 0.6, sigma: 0.8 };
const CLEANER: NoiseLevel = { t: 400, alpha: 0.8, sigma: 0.6 };

const row = (solver: SolverSpec, fields: Partial<StepRow> = {}): StepRow => ({
  kind: "step",
  model: "base",
  timestep: 800,
  from: NOISY,
  at: NOISY,
  to: CLEANER,
  prediction: "epsilon",
  guidance: 0,
  guidanceRescale: 0,
  solver,
  ...fields,
});

/** x0 = 1, −2 and ε = 0.5, 1 at NOISY: x_t = 0.6 x0 + 0.8 ε = 1, −0.4. */
const x0 = [1, -2];
const eps = [0.5, 1];
const xt = pair(1, -0.4);
const pairOf = (values: readonly number[]) => pair(values[0] ?? 0, values[1] ?? 0);

function pair(a: number, b: number): FloatTensor {
  return float([1, 1, 1, 2], Float32Array.of(a, b));
}

/** First two values of the generator with seed 1. */
const z = createRng(1).randn([2]).data;
const z0 = z[0] ?? 0;
const z1 = z[1] ?? 0;

function near(got: FloatTensor, want: readonly number[]) {
  want.forEach((value, i) => {
    expect(got.data[i]).toBeCloseTo(value, 6);
  });
}

const step = (r: StepRow, output = pairOf(eps), x = xt) =>
  advance(r, { xt: x, output, rng: createRng(1), state: undefined });

describe("prediction types", () => {
  it.each<[Prediction, readonly number[]]>([
    ["epsilon", eps],
    // v = α ε − σ x0 = 0.6 · 0.5 − 0.8 · 1, 0.6 · 1 + 0.8 · 2.
    ["v_prediction", [-0.5, 2.2]],
    ["sample", x0],
    // v = ε − x0.
    ["flow_prediction", [-0.5, 3]],
  ])("%s gives the same x0 and the same step", (prediction, output) => {
    const got = step(row({ kind: "euler" }, { prediction }), pairOf(output));
    near(got.x0, x0);
    // 0.8 x0 + 0.6 ε.
    near(got.xt, [1.1, -1]);
  });
});

describe("steps by hand", () => {
  it("DDIM with fresh noise, and x0 clipped while ε stays", () => {
    const spec = { kind: "ddim", eps: 0.5, noise: 0.1, draws: true, clip: 1.5 } as const;
    const got = step(row(spec));
    near(got.x0, [1, -1.5]);
    near(got.xt, [0.8 + 0.25 + 0.1 * z0, -1.2 + 0.5 + 0.1 * z1]);
  });

  it("DDPM weighs x0 and x_t", () => {
    const spec = { kind: "ddpm", x0: 0.3, xt: 0.5, noise: 0.2, draws: true, clip: null } as const;
    near(step(row(spec)).xt, [0.3 + 0.5 + 0.2 * z0, -0.6 - 0.2 + 0.2 * z1]);
  });

  it("Euler a draws even where the noise weight is 0", () => {
    const rng = createRng(1);
    const spec = { kind: "euler-ancestral", eps: 0, noise: 0 } as const;
    const got = advance(row(spec), { xt, output: pairOf(eps), rng, state: undefined });
    near(got.xt, [0.8, -1.6]);
    expect(rng.randn([2]).data).not.toEqual(z);
  });

  it("LCM mixes x_t in at the boundary, re-noises, and on its last step returns x0 without a draw", () => {
    const rng = createRng(1);
    const spec = { kind: "lcm", skip: 0.1, out: 0.9, draws: true, clip: null } as const;
    const got = advance(row(spec), { xt, output: pairOf(eps), rng, state: undefined });
    near(got.x0, [0.1 + 0.9, -0.04 - 1.8]);
    near(got.xt, [0.8 * 1 + 0.6 * z0, 0.8 * -1.84 + 0.6 * z1]);
    const untouched = createRng(1);
    const last = advance(row({ ...spec, draws: false }), { xt, output: pairOf(eps), rng: untouched, state: undefined });
    near(last.xt, [1, -1.84]);
    expect(untouched.randn([2]).data).toEqual(z);
  });

  it("TCD steps to the level in between and adds noise", () => {
    const spec = { kind: "tcd", alpha: 0.9, sigma: 0.4, scale: 0.5, noise: 0.3, draws: true } as const;
    near(step(row(spec)).xt, [0.45 + 0.1 + 0.3 * z0, -0.9 + 0.2 + 0.3 * z1]);
  });

  it("linear steps weigh the latents and the predictions, newest first", () => {
    const spec = linearStep({ method: "any", of: "x0", xt: 0.5, outputs: [0.6, -0.2] });
    const state = { kind: "linear", outputs: [pair(0.5, 0), pair(9, 9)], kept: null, noise: null } as const;
    const got = advance(row(spec), { xt, output: pairOf(eps), rng: createRng(1), state });
    // x0 is 1, −2.
    near(got.xt, [0.5 + 0.6 - 0.2 * 0.5, -0.2 - 1.2]);
    expect(got.state).toEqual({ ...state, outputs: [got.x0, ...state.outputs] });
    // Without a history the newest prediction stands for all.
    near(step(row(spec)).xt, [0.9, -1]);
  });

  it("linear steps go on from the latents that an earlier call kept, and correct x before the step", () => {
    const first = linearStep({ method: "any", of: "eps", xt: 1, outputs: [2], keeps: true, open: true });
    const second = linearStep({ method: "any", of: "eps", kept: 3, outputs: [1, 1] });
    const rng = createRng(1);
    const before = advance(row(first), { xt, output: pair(1, 2), rng, state: undefined });
    near(before.xt, [1 + 2, -0.4 + 4]);
    const after = advance(row(second), { xt: before.xt, output: pair(5, 0), rng, state: before.state });
    near(after.xt, [3 + 6, -1.2 + 2]);
    expect(() => advance(row(second), { xt, output: pair(5, 0), rng, state: undefined })).toThrow(RangeError);

    const corrector = { kept: 1, outputs: [0.5, 0.25] };
    const corrected = linearStep({ method: "any", of: "eps", xt: 2, outputs: [0], corrector, keeps: true });
    const got = advance(row(corrected), { xt: before.xt, output: pair(4, 8), rng, state: before.state });
    // y = x + 0.5 d + 0.25 d of the call before; x' = 2 y.
    near(got.xt, [2 * (1 + 2 + 0.25), 2 * (-0.4 + 4 + 0.5)]);
    expect(got.state).toMatchObject({ kept: { data: Float32Array.from([3.25, 4.1]) } });
  });

  it("linear steps draw noise that is correlated with that of the call before", () => {
    const first = linearStep({
      method: "any",
      of: "eps",
      outputs: [0],
      noise: 1,
      draws: true,
      keeps: true,
      open: true,
    });
    const second = linearStep({ method: "any", of: "eps", outputs: [0], noise: 1, draws: true, correlation: 0.6 });
    const rng = createRng(1);
    const before = advance(row(first), { xt, output: pair(1, 2), rng, state: undefined });
    near(before.xt, [z0, z1]);
    const fresh = createRng(1);
    fresh.randn(xt.shape);
    const [a = 0, b = 0] = fresh.randn(xt.shape).data;
    near(advance(row(second), { xt, output: pair(1, 2), rng, state: before.state }).xt, [
      0.6 * z0 + 0.8 * a,
      0.6 * z1 + 0.8 * b,
    ]);
  });

  it("PNDM takes its first step twice, from the kept latents", () => {
    const numbers = { xt: 2, eps: 1, alpha: 0.6, sigma: 0.8 };
    const start = row({ kind: "pndm", stage: "start", weights: [1], ...numbers });
    const repeat = row({ kind: "pndm", stage: "repeat", weights: [0.5, 0.5], ...numbers });
    const onward = row({ kind: "pndm", stage: "multistep", weights: [1.5, -0.5], ...numbers });
    const rng = createRng(1);
    const first = advance(start, { xt, output: pair(1, 2), rng, state: undefined });
    near(first.xt, [2 + 1, -0.8 + 2]);
    const second = advance(repeat, { xt: first.xt, output: pair(3, 6), rng, state: first.state });
    near(second.xt, [2 + 2, -0.8 + 4]);
    const third = advance(onward, { xt: second.xt, output: pair(5, 0), rng, state: second.state });
    // The history holds the first output, not the repeated one: 1.5 · 5 − 0.5 · 1, 1.5 · 0 − 0.5 · 2.
    near(third.xt, [8 + 7, 6.4 - 1]);
  });

  it("ignores the history of another solver", () => {
    const spec = linearStep({ method: "any", of: "x0", xt: 0.5, outputs: [0.6, -0.2] });
    const foreign = { kind: "pndm", outputs: [pair(9, 9)], kept: null } as const;
    const got = advance(row(spec), { xt, output: pairOf(eps), rng: createRng(1), state: foreign });
    near(got.xt, [0.9, -1]);
  });
});

describe("with a network that is always right", () => {
  /** The rows of a class over SD's betas. */
  const rowsOf = (name: string, steps: number, fields: object = {}): readonly Row[] => {
    const config: SamplerConfig = {
      scheduler: scheduler(name, { timestep_spacing: "trailing", ...fields }),
      steps,
      guidance: 0,
    };
    return makePlan({ mode: "base", base: config }).rows;
  };

  it.each([
    ["DDIMScheduler", {}],
    ["EulerDiscreteScheduler", {}],
    ["EulerDiscreteScheduler", { use_karras_sigmas: true }],
    ["DPMSolverMultistepScheduler", {}],
    ["DPMSolverMultistepScheduler", { solver_order: 1, use_karras_sigmas: true }],
    ["LCMScheduler", {}],
    ["DDPMScheduler", {}],
    ["EulerAncestralDiscreteScheduler", {}],
    ["FlowMatchEulerDiscreteScheduler", { shift: 3 }],
    ["FlowMatchEulerDiscreteScheduler", { use_karras_sigmas: true, stochastic_sampling: true }],
  ])("%s %j ends at the x0 that the network predicts", (name, fields) => {
    const clean = float([1, 2, 3, 5], createRng(8).randn([30]).data);
    for (const steps of [1, 2, 5, 20]) {
      const rng = createRng(2);
      let x = rng.randn(clean.shape);
      let state: ReturnType<typeof advance>["state"];
      for (const r of rowsOf(name, steps, { ...fields, prediction_type: "epsilon" })) {
        if (r.kind !== "step") throw new Error("a base plan has steps only");
        const output = float(
          x.shape,
          x.data.map((v, i) => {
            const target = clean.data[i] ?? 0;
            const noise = (v - r.at.alpha * target) / r.at.sigma;
            return r.prediction === "flow_prediction" ? noise - target : noise;
          }),
        );
        const got = advance(r, { xt: x, output, rng, state });
        // ε = (x − α x0) / σ in float32 loses what 1 / α makes big again.
        got.x0.data.forEach((v, i) => {
          expect(Math.abs(v - (clean.data[i] ?? 0))).toBeLessThan(1e-4);
        });
        ({ xt: x, state } = got);
      }
      x.data.forEach((v, i) => {
        expect(Math.abs(v - (clean.data[i] ?? 0))).toBeLessThan(1e-4);
      });
    }
  });
});

describe("re-noise rows", () => {
  it("draw once and end the solver's history", () => {
    const rng = createRng(1);
    const state = { kind: "linear", outputs: [pair(9, 9)], kept: null, noise: null } as const;
    const got = advance(renoiseRow(CLEANER, NOISY), { xt: pair(4, -8), rng, state });
    // 0.6 / 0.8 of x_t, and √(1 − 0.36 / 0.64) of z.
    const added = Math.sqrt(0.4375);
    near(got.xt, [3 + added * z0, -6 + added * z1]);
    expect(got.state).toBeUndefined();
    const drawn = createRng(1);
    drawn.randn([2]);
    expect(rng.randn([2]).data).toEqual(drawn.randn([2]).data);
  });

  it("give unit variance from unit variance", () => {
    const { levelAt } = schedule(scheduler("DDIMScheduler"), { steps: 1 });
    const x = createRng(3).randn([1, 4, 100, 110]);
    const { data } = advance(renoiseRow(levelAt(300), levelAt(700)), { xt: x, rng: createRng(4), state: undefined }).xt;
    const variance = data.reduce((sum, v) => sum + v * v, 0) / data.length;
    expect(Math.abs(variance - 1)).toBeLessThan(0.02);
  });
});

describe("flow steps", () => {
  const from = levelOfFlowSigma(750, 0.75);
  const to = levelOfFlowSigma(500, 0.5);
  const at = { prediction: "flow_prediction", from, at: from, to } as const;

  it("Euler is x + (σ' − σ) v", () => {
    // v = ε − x0 = −0.5, 3 at x = 0.25 x0 + 0.75 ε = 0.625, 0.25.
    const got = step(row({ kind: "euler" }, at), pair(-0.5, 3), pair(0.625, 0.25));
    near(got.x0, x0);
    near(got.xt, [0.625 + 0.125, 0.25 - 0.75]);
  });

  it("stochastic sampling replaces the noise: (1 − σ') x0 + σ' z", () => {
    const config: SamplerConfig = {
      scheduler: flowScheduler({ stochastic_sampling: true }),
      sigmas: [0.75, 0.5],
      guidance: 0,
    };
    const [first, last] = makePlan({ mode: "base", base: config }).rows;
    if (first?.kind !== "step" || last?.kind !== "step") throw new Error("a base plan has steps only");
    const got = step(first, pair(-0.5, 3), pair(0.625, 0.25));
    near(got.xt, [0.5 + 0.5 * z0, -1 + 0.5 * z1]);
    // The last step draws too, with weight 0.
    const rng = createRng(1);
    near(advance(last, { xt: pair(1, 2), output: pair(4, 6), rng, state: undefined }).xt, [-1, -1]);
    expect(rng.randn([2]).data).not.toEqual(z);
  });
});
