import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { flowSigmas } from "../../src/sampling/flow-sigmas.js";
import { schedule } from "../../src/sampling/schedule.js";
import { parseScheduler, switchScheduler } from "../../src/sampling/scheduler.js";
import { linspace } from "../../src/sampling/sigmas.js";
import { flowScheduler } from "./configs.js";

/** The sigmas that pipelines give: 1 … 1 / n. */
const given = (n: number) => ({ sigmas: linspace(1, 1 / n, n) });
const close = (values: readonly number[], digits = 6) => values.map((value) => expect.closeTo(value, digits));
const FLUX = {
  use_dynamic_shifting: true,
  base_shift: 0.5,
  max_shift: 1.15,
  base_image_seq_len: 256,
  max_image_seq_len: 4096,
};

describe("schedules of SANA", () => {
  const dpm = { _class_name: "DPMSolverMultistepScheduler", prediction_type: "flow_prediction" };
  const config = parseScheduler({ ...dpm, use_flow_sigmas: true, flow_shift: 3 }, "scheduler_config.json");

  it("shifts evenly spaced sigmas, and rounds timesteps down", () => {
    // σ = 0.999, 0.666, 0.333 before the shift: 3 σ / (1 + 2 σ).
    const { steps, initNoiseScale } = schedule(config, { steps: 3 });
    const expected = [2.997 / 2.998, 1.998 / 2.332, 0.999 / 1.666];
    expect(steps.map(({ timestep }) => timestep)).toEqual([999, 856, 599]);
    for (const [i, { at }] of steps.entries()) {
      expect(at.sigma).toBeCloseTo(expected[i] ?? 0, 6);
      expect(at.alpha + at.sigma).toBeCloseTo(1, 12);
    }
    expect(steps.at(-1)?.to.sigma).toBe(0);
    expect(initNoiseScale(0)).toBe(1);
  });

  it("keeps the shift where flow models change between DPM++ and Euler", () => {
    const euler = switchScheduler(config, "FlowMatchEulerDiscreteScheduler");
    expect(euler.settings.shift).toBe(3);
    expect(switchScheduler(euler, "DPMSolverMultistepScheduler").settings).toMatchObject({
      use_flow_sigmas: true,
      prediction_type: "flow_prediction",
      flow_shift: 3,
    });
    expect(() => switchScheduler(config, "DDIMScheduler")).toThrow(/DDIMScheduler is for diffusion models/);
  });

  it("takes angles: π / 2 and 1.3 for two steps, else evenly spaced", () => {
    const scm = parseScheduler({ _class_name: "SCMScheduler", prediction_type: "trigflow", sigma_data: 0.5 }, "s.json");
    const sigmas = (steps: number) => schedule(scm, { steps }).steps.map(({ at }) => at.sigma);
    const share = (t: number) => Math.sin(t) / (Math.sin(t) + Math.cos(t));
    expect(sigmas(1)).toEqual([1]);
    expect(sigmas(2)[1]).toBeCloseTo(share(1.3), 6);
    expect(sigmas(4)[3]).toBeCloseTo(share(1.5708 / 4), 6);
    expect(() => schedule(scm, { timesteps: [999, 500] })).toThrow(/timesteps of SCM follow from its sigmas/);
  });
});

describe("a static shift", () => {
  it("is s σ / (1 + (s − 1) σ)", () => {
    expect(flowSigmas(flowScheduler(), given(4), {})).toEqual([1, 0.75, 0.5, 0.25]);
    // 3 · 0.75 / 2.5, 3 · 0.5 / 2, 3 · 0.25 / 1.5: Qwen-Image-Lightning in 4 steps.
    expect(flowSigmas(flowScheduler({ shift: 3 }), given(4), {})).toEqual(close([1, 0.9, 0.75, 0.5]));
    // Z-Image-Turbo: 3 i / (8 + 2 i) of i = 8 … 1.
    const turbo = [1, 21 / 22, 0.9, 5 / 6, 0.75, 9 / 14, 0.5, 0.3];
    expect(flowSigmas(flowScheduler({ shift: 3 }), given(8), {})).toEqual(close(turbo));
  });

  it("applies twice without given sigmas, as in diffusers", () => {
    // SD3.5-large-turbo: linspace(1, s, 4) with s = 3 · 0.001 / 1.002, shifted again.
    expect(flowSigmas(flowScheduler({ shift: 3 }), { steps: 4 }, {})).toEqual(close([1, 0.8577, 0.6022, 0.0089], 4));
  });
});

describe("dynamic shifting", () => {
  it("interpolates μ between the two points of the config, beyond them too", () => {
    const mu = (tokens: number) => {
      // With σ = 1/2 the shifted sigma is 1 / (1 + e^−μ).
      const [sigma = 0] = flowSigmas(flowScheduler(FLUX), { sigmas: [0.5] }, { tokens });
      return Math.log(sigma / (1 - sigma));
    };
    expect(mu(256)).toBeCloseTo(0.5, 5);
    expect(mu(4096)).toBeCloseTo(1.15, 5);
    // A quarter of the way: 0.5 + 0.65 / 4; and one and a half ways.
    expect(mu(1216)).toBeCloseTo(0.6625, 5);
    expect(mu(6016)).toBeCloseTo(1.475, 5);
  });

  it("takes μ itself, such as FLUX.2 klein's, which depends on the steps too", () => {
    const klein = flowScheduler(FLUX);
    const at = (mu: number) => flowSigmas(klein, given(4), { mu });
    expect(at(2.2912)).toEqual(close([1, 0.9674, 0.9081, 0.7672], 4));
    expect(at(2.0307)).toEqual(close([1, 0.9581, 0.884, 0.7175], 4));
  });

  it("with exponential time shift equals a static shift by e^μ; with linear by μ", () => {
    const shifts = fc.double({ min: 0.3, max: 9, noNaN: true });
    fc.assert(
      fc.property(shifts, fc.integer({ min: 1, max: 30 }), (shift, n) => {
        const still = flowSigmas(flowScheduler({ shift }), given(n), {});
        const exponential = flowSigmas(flowScheduler(FLUX), given(n), { mu: Math.log(shift) });
        const linear = flowSigmas(flowScheduler({ ...FLUX, time_shift_type: "linear" }), given(n), { mu: shift });
        for (const sigmas of [exponential, linear]) expect(sigmas).toEqual(close(still, 5));
      }),
    );
  });

  it("moves sigmas towards noise for larger images", () => {
    const [small, large] = [960, 4096].map((tokens) => flowSigmas(flowScheduler(FLUX), given(6), { tokens }));
    for (const i of [1, 2, 3, 4, 5]) expect(large?.[i]).toBeGreaterThan(small?.[i] ?? 1);
  });

  it("is refused without the number of tokens", () => {
    expect(() => flowSigmas(flowScheduler(FLUX), { steps: 4 }, {})).toThrow(RequestError);
  });
});

describe("shift_terminal", () => {
  it("stretches 1 − σ so that the last sigma is the terminal one", () => {
    // 1 − σ = 0, 0.25, 0.5, 0.75, scaled by 0.9 / 0.75.
    expect(flowSigmas(flowScheduler({ shift_terminal: 0.1 }), given(4), {})).toEqual(close([1, 0.7, 0.4, 0.1]));
    expect(flowSigmas(flowScheduler({ shift_terminal: 0 }), given(4), {})).toEqual([1, 0.75, 0.5, 0.25]);
  });

  it("is refused for a single step from σ = 1", () => {
    const config = flowScheduler({ shift_terminal: 0.1 });
    expect(() => flowSigmas(config, { steps: 1 }, {})).toThrow(RequestError);
    expect(flowSigmas(config, { sigmas: [0.6] }, {})).toEqual(close([0.1]));
  });
});

describe("respacing", () => {
  it("keeps the ends of the shifted sigmas", () => {
    for (const spacing of ["karras", "exponential", "beta"]) {
      const config = flowScheduler({ shift: 3, [`use_${spacing}_sigmas`]: true });
      const sigmas = flowSigmas(config, given(5), {});
      // 3 · 0.2 / 1.4.
      expect([sigmas[0], sigmas[4]]).toEqual(close([1, 3 / 7]));
      expect(sigmas).not.toEqual(flowSigmas(flowScheduler({ shift: 3 }), given(5), {}));
    }
  });
});
