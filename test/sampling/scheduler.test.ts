import { describe, expect, it } from "vitest";
import { FileError, RequestError, UnsupportedConfigError } from "../../src/errors.js";
import {
  amendForStableDiffusion,
  makePlan,
  parseScheduler,
  SCHEDULERS,
  schedule,
  switchScheduler,
} from "../../src/sampling/index.js";
import { flowScheduler, SD15, scheduler } from "./configs.js";

const timesteps = (config: Parameters<typeof schedule>[0], steps: number) =>
  schedule(config, { steps }).steps.map((stop) => stop.timestep);

describe("parseScheduler", () => {
  it("takes the class's own defaults for what the file lacks", () => {
    const ddim = parseScheduler({ _class_name: "DDIMScheduler" }, "f").settings;
    expect(ddim).toMatchObject({
      beta_start: 0.0001,
      beta_schedule: "linear",
      clip_sample: true,
      timestep_spacing: "leading",
    });
    const lcm = parseScheduler({ _class_name: "LCMScheduler" }, "f").settings;
    expect(lcm).toMatchObject({ beta_start: 0.00085, beta_schedule: "scaled_linear", clip_sample: false });
    const euler = parseScheduler({ _class_name: "EulerDiscreteScheduler" }, "f").settings;
    expect(euler.timestep_spacing).toBe("linspace");
  });

  it.each(SCHEDULERS)("reads %s with fields that it does not know", (name) => {
    const config = scheduler(name, { a_field_of_tomorrow: [1] });
    expect(config.className).toBe(name);
    expect(schedule(config, { steps: 4 }).steps).toHaveLength(4);
  });

  it.each([
    ["DDIMScheduler", "thresholding", true],
    ["DDIMScheduler", "prediction_type", "flow_prediction"],
    ["DPMSolverMultistepScheduler", "prediction_type", "flow_prediction"],
    ["DPMSolverMultistepScheduler", "use_dynamic_shifting", true],
    ["FlowMatchEulerDiscreteScheduler", "invert_sigmas", true],
    ["FlowMatchEulerDiscreteScheduler", "shift", 0],
    ["FlowMatchEulerDiscreteScheduler", "shift_terminal", 1],
    ["FlowMatchEulerDiscreteScheduler", "time_shift_type", "cosine"],
    ["DDIMScheduler", "beta_schedule", "sigmoid"],
    ["DDPMScheduler", "variance_type", "learned_range"],
    ["PNDMScheduler", "skip_prk_steps", false],
    ["PNDMScheduler", "prediction_type", "sample"],
    ["EulerDiscreteScheduler", "timestep_type", "continuous"],
    ["EulerAncestralDiscreteScheduler", "prediction_type", "sample"],
    ["DPMSolverMultistepScheduler", "solver_order", 4],
    ["DPMSolverMultistepScheduler", "algorithm_type", "sa-solver"],
    ["DPMSolverMultistepScheduler", "prediction_type", "flow_prediction"],
    ["DPMSolverSinglestepScheduler", "use_flow_sigmas", true],
    ["DPMSolverMultistepScheduler", "thresholding", true],
    ["DPMSolverSinglestepScheduler", "algorithm_type", "sde-dpmsolver"],
    ["DPMSolverSDEScheduler", "noise_sampler_seed", 3],
    ["DPMSolverSDEScheduler", "prediction_type", "sample"],
    ["KDPM2DiscreteScheduler", "prediction_type", "sample"],
    ["HeunDiscreteScheduler", "beta_schedule", "laplace"],
    ["LMSDiscreteScheduler", "beta_schedule", "exp"],
    ["DEISMultistepScheduler", "use_flow_sigmas", true],
    ["UniPCMultistepScheduler", "solver_p", { _class_name: "DDIMScheduler" }],
    ["UniPCMultistepScheduler", "solver_type", "bh3"],
    ["UniPCMultistepScheduler", "disable_corrector", 2],
    ["EDMEulerScheduler", "prediction_type", "sample"],
    ["EDMEulerScheduler", "sigma_schedule", "beta"],
    ["EDMDPMSolverMultistepScheduler", "thresholding", true],
    ["LCMScheduler", "timestep_spacing", "sideways"],
    ["TCDScheduler", "num_train_timesteps", 0],
  ])("refuses %s with %s = %j by name", (name, key, actual) => {
    const error = (() => {
      try {
        scheduler(name, { [key]: actual });
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(UnsupportedConfigError);
    expect(error).toMatchObject({ key, actual, file: "scheduler_config.json" });
  });

  it("implies the prediction type of flow matching, and refuses two spacings of sigmas", () => {
    expect(flowScheduler({ prediction_type: "epsilon" }).settings.prediction_type).toBe("flow_prediction");
    expect(() => flowScheduler({ use_karras_sigmas: true, use_beta_sigmas: true })).toThrow(UnsupportedConfigError);
  });

  it("refuses combinations that DPM-Solver does not define", () => {
    const dpm = (fields: object) => scheduler("DPMSolverMultistepScheduler", fields);
    expect(() => dpm({ algorithm_type: "dpmsolver" })).toThrow(/final_sigmas_type.*sigma_min/);
    const noise = { algorithm_type: "sde-dpmsolver", final_sigmas_type: "sigma_min" };
    expect(() => dpm({ ...noise, solver_order: 3 })).toThrow(/solver_order/);
    expect(dpm({ ...noise, solver_order: 2 }).settings.solver_order).toBe(2);
  });

  it("refuses steps whose formula is not defined", () => {
    const unipc = (fields: object) =>
      makePlan({
        mode: "base",
        base: { scheduler: scheduler("UniPCMultistepScheduler", fields), steps: 5, guidance: 0 },
      });
    expect(() => unipc({ lower_order_final: false })).toThrow(RequestError);
    const ends = { use_karras_sigmas: true, final_sigmas_type: "sigma_min", lower_order_final: false };
    expect(() => unipc({ ...ends, solver_order: 3 })).toThrow(/unipc .* is not defined/);
    expect(unipc({ lower_order_final: false, final_sigmas_type: "sigma_min" }).rows).toHaveLength(5);
  });

  it("refuses what is no scheduler", () => {
    expect(() => parseScheduler({ _class_name: "CMStochasticIterativeScheduler" }, "f")).toThrow(
      /_class_name = "CMSto.*supported: DDIM/,
    );
    expect(() => parseScheduler({}, "f")).toThrow(FileError);
    expect(() => parseScheduler([], "f")).toThrow(FileError);
    expect(() => schedule(scheduler("DDIMScheduler", { trained_betas: [0.1] }), { steps: 1 })).toThrow(/trained_betas/);
  });

  it("reads minus infinity in any form that a JSON reader may give it, and null as Python's None", () => {
    for (const value of [-Infinity, "-Infinity", null]) {
      expect(scheduler("DPMSolverMultistepScheduler", { lambda_min_clipped: value }).settings.lambda_min_clipped).toBe(
        -Infinity,
      );
    }
    expect(scheduler("EulerDiscreteScheduler", { use_karras_sigmas: null }).settings.use_karras_sigmas).toBe(false);
  });
});

describe("switchScheduler", () => {
  it("gives fields that the file lacked the new class's default: DDIM spaces leading, Euler linspace", () => {
    const file = parseScheduler(SD15, "f");
    expect(timesteps(switchScheduler(file, "DDIMScheduler"), 4)).toEqual([751, 501, 251, 1]);
    expect(timesteps(switchScheduler(file, "EulerDiscreteScheduler"), 5)).toEqual([999, 749.25, 499.5, 249.75, 0]);
  });

  it("remembers the file's fields through a class that does not read them", () => {
    const file = scheduler("EulerDiscreteScheduler", { use_karras_sigmas: true, timestep_spacing: "trailing" });
    const there = switchScheduler(file, "DDIMScheduler");
    expect(there.settings.use_karras_sigmas).toBe(false);
    expect(switchScheduler(there, "EulerDiscreteScheduler").settings).toEqual(file.settings);
  });

  it("sets fields on the way", () => {
    const config = switchScheduler(parseScheduler(SD15, "f"), "DDIMScheduler", { timestep_spacing: "trailing" });
    expect(timesteps(config, 4)).toEqual([999, 749, 499, 249]);
  });

  it("refuses a class it does not know, naming those it does", () => {
    expect(() => switchScheduler(parseScheduler(SD15, "f"), "UniPC")).toThrow(RequestError);
    expect(() => switchScheduler(parseScheduler(SD15, "f"), "UniPC")).toThrow(/UniPC is not known; supported: DDIM/);
  });
});

describe("flow and diffusion schedulers", () => {
  it("do not replace each other", () => {
    expect(() => switchScheduler(flowScheduler(), "EulerDiscreteScheduler")).toThrow(RequestError);
    expect(() => switchScheduler(parseScheduler(SD15, "f"), "FlowMatchEulerDiscreteScheduler")).toThrow(RequestError);
    const shifted = switchScheduler(flowScheduler(), "FlowMatchEulerDiscreteScheduler", { shift: 3 });
    expect(shifted.settings.shift).toBe(3);
  });
});

describe("amendForStableDiffusion", () => {
  it("sets offset 1 and no clipping, and a later switch forgets what the file did not have", () => {
    const bare = parseScheduler({ _class_name: "DDIMScheduler" }, "f");
    const amended = amendForStableDiffusion(bare);
    expect(amended.settings).toMatchObject({ steps_offset: 1, clip_sample: false });
    expect(switchScheduler(amended, "DDPMScheduler").settings).toMatchObject({ steps_offset: 0, clip_sample: true });

    const full = parseScheduler({ _class_name: "DDIMScheduler", steps_offset: 0, clip_sample: true }, "f");
    const kept = switchScheduler(amendForStableDiffusion(full), "DDPMScheduler").settings;
    expect(kept).toMatchObject({ steps_offset: 1, clip_sample: false });
  });
});
