import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { alphaBar, karrasSigma, SCHEDULERS, schedule } from "../../src/sampling/index.js";
import { flowScheduler, scheduler } from "./configs.js";

const timesteps = (name: string, steps: number, fields: object = {}) =>
  schedule(scheduler(name, fields), { steps }).steps.map((step) => step.timestep);

describe("timesteps", () => {
  // 1000 / 4 = 250: leading 750, 500, 250, 0 plus the offset; trailing 1000, 750, 500, 250 minus 1; linspace 999 · i / 3.
  it.each([
    ["DDIMScheduler", "leading", 4, [751, 501, 251, 1]],
    ["DDIMScheduler", "trailing", 4, [999, 749, 499, 249]],
    ["DDIMScheduler", "trailing", 8, [999, 874, 749, 624, 499, 374, 249, 124]],
    ["DDIMScheduler", "linspace", 4, [999, 666, 333, 0]],
    ["DDPMScheduler", "leading", 3, [667, 334, 1]],
    ["EulerDiscreteScheduler", "linspace", 5, [999, 749.25, 499.5, 249.75, 0]],
    ["EulerDiscreteScheduler", "trailing", 3, [999, 666, 332]],
    ["EulerAncestralDiscreteScheduler", "trailing", 1, [999]],
    // DPM++ computes n + 1 timesteps and drops the last: 1000 // 8 = 125, seven times 125, plus the offset.
    ["DPMSolverMultistepScheduler", "leading", 7, [876, 751, 626, 501, 376, 251, 126]],
    ["DPMSolverMultistepScheduler", "linspace", 4, [999, 749, 500, 250]],
    // LCM and TCD: 50 training steps of 20; indices floor(50 i / n) of 999, 979, …; spacing and offset are ignored.
    ["LCMScheduler", "trailing", 4, [999, 759, 499, 259]],
    ["LCMScheduler", "leading", 8, [999, 879, 759, 639, 499, 379, 259, 139]],
    ["TCDScheduler", "leading", 6, [999, 839, 679, 499, 339, 179]],
  ])("%s %s with %i steps", (name, timestep_spacing, steps, expected) => {
    expect(timesteps(name, steps, { timestep_spacing, steps_offset: 1 })).toEqual(expected);
  });

  it("drops the element at −1 that rounding adds to 61 trailing steps", () => {
    const got = timesteps("DDIMScheduler", 61, { timestep_spacing: "trailing" });
    expect([got.length, got.at(-1)]).toEqual([61, 15]);
  });

  it("uses given timesteps unchanged", () => {
    for (const list of [[999, 749, 499, 249], [399], [800]]) {
      expect(schedule(scheduler("LCMScheduler"), { timesteps: list }).steps.map((s) => s.timestep)).toEqual(list);
    }
  });
});

describe("levels", () => {
  it("equal the known constants of SD's noise schedule", () => {
    const { levelAt } = schedule(scheduler("DDIMScheduler"), { steps: 1 });
    // ᾱ and σ in float64, from field notes: 999: 0.004660, 14.61464; 749: 0.056623, 4.08173; 0: 0.999150, 0.02917.
    for (const [t, expected, sigma] of [
      [999, 0.00466, 14.61464],
      [749, 0.056623, 4.08173],
      [0, 0.99915, 0.02917],
    ] as const) {
      expect(alphaBar(levelAt(t))).toBeCloseTo(expected, 6);
      expect(karrasSigma(levelAt(t))).toBeCloseTo(sigma, 3);
    }
  });

  it("DDIM steps by 1000 // n, which need not be the next timestep", () => {
    const { steps } = schedule(scheduler("DDIMScheduler", { timestep_spacing: "trailing" }), { steps: 3 });
    expect(steps.map((s) => [s.at.t, s.to.t])).toEqual([
      [999, 666],
      [666, 333],
      [332, -1],
    ]);
    expect(steps[2]?.to.sigma).toBe(0);
  });

  it("ends where the config says: clean, at ᾱ(0), at the smallest sigma, at timestep 0", () => {
    const end = (name: string, fields: object = {}) => schedule(scheduler(name, fields), { steps: 4 }).steps[3]?.to;
    const first = schedule(scheduler("DDIMScheduler"), { steps: 1 }).levelAt(0);
    expect(end("DDIMScheduler", { set_alpha_to_one: true })?.sigma).toBe(0);
    expect(end("DDIMScheduler", { set_alpha_to_one: false })).toEqual(first);
    expect(end("EulerDiscreteScheduler")?.sigma).toBe(0);
    expect(end("EulerDiscreteScheduler", { final_sigmas_type: "sigma_min" })).toEqual(first);
    expect(end("DPMSolverMultistepScheduler", { final_sigmas_type: "sigma_min" })).toEqual(first);
    expect(end("LCMScheduler")?.sigma).toBe(0);
    expect(end("TCDScheduler")).toEqual(first);
  });

  it("zero terminal SNR is α = 0 for DDIM and ᾱ = 2^-24 for solvers in sigma space", () => {
    const fields = { rescale_betas_zero_snr: true, timestep_spacing: "trailing", prediction_type: "v_prediction" };
    const start = (name: string) => schedule(scheduler(name, fields), { steps: 4 }).steps[0]?.at.alpha;
    expect(start("DDIMScheduler")).toBe(0);
    expect(start("EulerDiscreteScheduler")).toBe(2 ** -12);
    expect(start("EulerAncestralDiscreteScheduler")).toBe(2 ** -12);
    expect(start("DPMSolverMultistepScheduler")).toBe(2 ** -12);
  });

  it("Karras sigmas: DPM-Solver over the whole range with whole timesteps, Euler over what leading spacing covers", () => {
    const fields = { use_karras_sigmas: true, timestep_spacing: "leading", steps_offset: 1 };
    const dpm = schedule(scheduler("DPMSolverMultistepScheduler", fields), { steps: 5 }).steps;
    expect(dpm.map((s) => s.timestep)).toEqual([999, 786, 427, 59, 0]);
    expect(karrasSigma(dpm[0]?.at ?? NaN_LEVEL)).toBeCloseTo(14.6146, 3);
    const euler = schedule(scheduler("EulerDiscreteScheduler", fields), { steps: 5 }).steps;
    expect(euler[0]?.timestep).toBeCloseTo(801, 3);
    expect(euler[2]?.timestep).not.toBe(Math.round(euler[2]?.timestep ?? 0));
  });

  it("Euler starts from a little less than unit noise unless spacing is leading", () => {
    const scale = (timestep_spacing: string) =>
      schedule(scheduler("EulerDiscreteScheduler", { timestep_spacing }), { steps: 4 }).initNoiseScale(0);
    // 14.61464 / √(14.61464² + 1) = 0.997667.
    expect(scale("trailing")).toBeCloseTo(0.997667, 6);
    expect(scale("linspace")).toBeCloseTo(0.997667, 6);
    expect(scale("leading")).toBe(1);
    expect(schedule(scheduler("DDIMScheduler"), { steps: 4 }).initNoiseScale(0)).toBe(1);
  });

  it("decrease for every class, spacing and number of steps, and end at the final level", () => {
    const cases = fc.record({
      name: fc.constantFrom(...SCHEDULERS),
      timestep_spacing: fc.constantFrom("leading", "trailing", "linspace"),
      steps_offset: fc.constantFrom(0, 1),
      steps: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(
      fc.property(cases, ({ name, steps: count, ...fields }) => {
        const { steps } = schedule(scheduler(name, fields), { steps: count });
        expect(steps).toHaveLength(count);
        steps.forEach((step, i) => {
          const { alpha, sigma } = step.at;
          const flow = name === "FlowMatchEulerDiscreteScheduler" || name === "SCMScheduler";
          const data = name.startsWith("EDM") ? 0.5 : 1;
          expect(flow ? alpha + sigma : (data * alpha) ** 2 + sigma ** 2).toBeCloseTo(1, 12);
          expect(alphaBar(step.to)).toBeGreaterThanOrEqual(alphaBar(step.at));
          const before = steps[i - 1];
          if (before) {
            expect(alpha).toBeGreaterThan(before.at.alpha);
            expect(step.timestep).toBeLessThan(before.timestep);
          }
        });
        expect(steps.at(-1)?.to.sigma).toBeLessThan(0.03);
      }),
      { numRuns: 150 },
    );
  });
});

describe("refusals", () => {
  it.each([
    [{ steps: 0 }, /steps is 0; expected an integer from 1 to 1000/],
    [{ steps: 2.5 }, /steps is 2.5/],
    [{ steps: 1001 }, /from 1 to 1000/],
    [{}, /exactly one of/],
    [{ steps: 4, timesteps: [999] }, /exactly one of/],
    [{ sigmas: [1, 0.5] }, /sigmas cannot be given to DDIM/],
    [{ timesteps: [] }, /empty list/],
    [{ timesteps: [499, 749] }, /timesteps must decrease; 749 comes after 499/],
    [{ timesteps: [999, 999] }, /must decrease/],
    [{ timesteps: [1000] }, /timestep 1000 is outside/],
    [{ timesteps: [5, -1] }, /timestep -1 is outside/],
    [{ timesteps: [1.5] }, /timestep 1.5 is outside/],
  ])("DDIM with %j", (spec, message) => {
    expect(() => schedule(scheduler("DDIMScheduler"), spec)).toThrow(RequestError);
    expect(() => schedule(scheduler("DDIMScheduler"), spec)).toThrow(message);
  });

  it("specs that a class does not support", () => {
    expect(() => schedule(scheduler("LCMScheduler"), { steps: 51 })).toThrow(
      /from 1 to 50 \(original_inference_steps of LCM\)/,
    );
    expect(() => schedule(scheduler("PNDMScheduler"), { timesteps: [999, 1] })).toThrow(/PNDM repeats timesteps/);
    const karras = scheduler("EulerDiscreteScheduler", { use_karras_sigmas: true });
    expect(() => schedule(karras, { timesteps: [999, 1] })).toThrow(/use_karras_sigmas/);
    expect(() => schedule(scheduler("DDIMScheduler", { steps_offset: 1 }), { steps: 1000 })).toThrow(
      /asks for timestep 1000/,
    );
  });
});

describe("flow schedules", () => {
  it("have timesteps 1000 σ, unrounded, and end clean", () => {
    const { steps, initNoiseScale } = schedule(flowScheduler({ shift: 3 }), { sigmas: [1, 0.875, 0.5] });
    // 3 · 0.875 / 2.75 = 21 / 22.
    expect(steps.map((step) => step.timestep)).toEqual([1000, expect.closeTo(954.5455, 3), 750]);
    expect(steps.map((step) => step.at.t)).toEqual(steps.map((step) => step.timestep));
    expect(steps.map((step) => step.to.sigma)).toEqual([...steps.slice(1).map((step) => step.at.sigma), 0]);
    expect(initNoiseScale(0)).toBe(1);
  });

  it("know the level of any training timestep", () => {
    const { levelAt } = schedule(flowScheduler({ num_train_timesteps: 500 }), { steps: 3 });
    expect(levelAt(125)).toEqual({ t: 125, alpha: 0.75, sigma: 0.25 });
    expect([levelAt(0).sigma, levelAt(-1).sigma]).toEqual([0, 0]);
  });

  it("depend on the image size where the config says so", () => {
    const config = flowScheduler({ use_dynamic_shifting: true });
    expect(() => schedule(config, { steps: 4 })).toThrow(RequestError);
    const second = (tokens: number) => schedule(config, { steps: 4 }, { tokens }).steps[1]?.at.sigma ?? 0;
    expect(second(4096)).toBeGreaterThan(second(960));
  });

  it.each([
    [{ timesteps: [999, 500] }],
    [{ sigmas: [] }],
    [{ sigmas: [0.5, 0.75] }],
    [{ sigmas: [1.2, 0.5] }],
    [{ sigmas: [1, 0] }],
    [{ sigmas: [Number.NaN] }],
    [{ steps: 4, sigmas: [1, 0.5] }],
    [{ steps: 0 }],
  ])("refuse %j", (spec) => {
    expect(() => schedule(flowScheduler(), spec)).toThrow(RequestError);
  });
});

const NaN_LEVEL = { t: Number.NaN, alpha: Number.NaN, sigma: Number.NaN };
