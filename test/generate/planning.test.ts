import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { type PlanSource, planFor, planRequestFor } from "../../src/generate/index.js";
import { scheduler } from "../sampling/configs.js";

/** A pair whose schedule is its own list of timesteps, over a checkpoint whose scheduler has Karras sigmas. */
const source = (): PlanSource => {
  const { className, given } = scheduler("DPMSolverMultistepScheduler", { use_karras_sigmas: true });
  const model = {
    ref: "somewhere",
    scheduler: { file: "scheduler_config.json", config: { _class_name: className, ...given } },
    embedsGuidance: false,
  };
  const distilled = { scheduler: "LCMScheduler", timesteps: [999, 749, 499], guidance: 0 };
  return {
    row: { size: null, prompts: [], sampling: { base: { steps: 25, guidance: 5 }, distilled } },
    family: "sdxl",
    base: model,
    distilled: model,
  };
};
const sampler = (request: Parameters<typeof planRequestFor>[1]) => {
  const made = planRequestFor(source(), { mode: "distilled", ...request });
  return made.mode === "distilled" ? made.distilled : null;
};

describe("timesteps of a pair", () => {
  it("are the pair's with its own scheduler, and with another that takes a list", () => {
    expect(sampler({})?.timesteps).toEqual([999, 749, 499]);
    expect(sampler({ scheduler: "EulerAncestralDiscreteScheduler" })?.timesteps).toEqual([999, 749, 499]);
  });

  it("yield to a scheduler that takes none, which runs as many steps", () => {
    const made = sampler({ scheduler: "DPMSolverMultistepScheduler" });
    expect(made?.timesteps).toBeUndefined();
    expect(made?.steps).toBe(3);
    expect(sampler({ scheduler: "DPMSolverMultistepScheduler", steps: 7 })?.steps).toBe(7);
  });

  it("stay where the request gives them itself, for the schedule to refuse", () => {
    const request = { scheduler: "DPMSolverMultistepScheduler", timesteps: [999, 499] };
    expect(sampler(request)?.timesteps).toEqual([999, 499]);
    expect(() => planFor(source(), { mode: "distilled", ...request })).toThrow(RequestError);
  });
});
