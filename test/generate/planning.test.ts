import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { describeSettings, type PlanSource, planFor, planRequestFor, settingsFor } from "../../src/generate/index.js";
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
    row: { name: "mine", size: null, prompts: [], sampling: { base: { steps: 25, guidance: 5 }, distilled } },
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

  it("yield to a spacing and to a schedule type that the request asks for", () => {
    for (const request of [
      { spacing: "trailing" },
      { sigmas: "sgm_uniform" },
      { scheduler: "euler_karras" },
    ] as const) {
      const made = sampler({ scheduler: "euler", ...request });
      expect([made?.timesteps, made?.steps]).toEqual([undefined, 3]);
    }
  });

  it("stay where the request gives them itself, for the schedule to refuse", () => {
    const request = { scheduler: "DPMSolverMultistepScheduler", timesteps: [999, 499] };
    expect(sampler(request)?.timesteps).toEqual([999, 499]);
    expect(() => planFor(source(), { mode: "distilled", ...request })).toThrow(RequestError);
  });
});

describe("origins of settings", () => {
  const file = "scheduler_config.json";
  const base: PlanSource["base"] = { ...source().base };
  /** A distilled model without a scheduler of its own, opened without a pair. */
  const opened = (distilled: Partial<PlanSource["base"]> = {}): PlanSource => ({
    ...source(),
    row: null,
    base,
    distilled: { ...base, ref: "few-steps", ...distilled },
  });
  const known = {
    pair: "sdxl-dmd2",
    by: "name",
    match: "dmd2_4step",
    sampling: { scheduler: "LCMScheduler", timesteps: [999, 499], guidance: 0.5 },
  };

  it("are the request, then the named pair, then defaults", () => {
    expect(settingsFor(source(), { mode: "distilled", steps: 6, eta: 0.5 })).toEqual({
      mode: { value: "distilled", from: "option" },
      distilled: {
        scheduler: { value: "LCMScheduler", from: "pair", pair: "mine" },
        prediction: { value: "epsilon", from: "default" },
        steps: { value: 6, from: "option" },
        guidance: { value: 0, from: "pair", pair: "mine" },
        eta: { value: 0.5, from: "option" },
      },
    });
  });

  it("say that a distilled model without a schedule has the base's", () => {
    expect(settingsFor(opened(), {})).toEqual({
      mode: { value: "hybrid", from: "default" },
      switch: { value: 1, from: "default" },
      handoff: { value: "schedule", from: "default" },
      base: {
        scheduler: { value: "shared", from: "distilled" },
        prediction: { value: "epsilon", from: "default" },
        guidance: { value: 0, from: "default" },
      },
      distilled: {
        scheduler: { value: "DPMSolverMultistepScheduler", from: "base", file },
        spacing: { value: "linspace", from: "default" },
        prediction: { value: "epsilon", from: "default" },
        steps: { value: 4, from: "default" },
        guidance: { value: 0, from: "default" },
      },
    });
  });

  it("are the pair that a model was recognised as, rather than the pair that is the default", () => {
    const match = { from: "recognised", pair: "sdxl-dmd2", by: "name", match: "dmd2_4step" };
    for (const row of [null, source().row]) {
      expect(settingsFor({ ...opened({ known }), row }, { mode: "distilled" }).distilled).toMatchObject({
        scheduler: { value: "LCMScheduler", ...match },
        timesteps: { value: [999, 499], ...match },
        guidance: { value: 0.5, ...match },
      });
    }
  });

  it("are the scheduler config beside a model, where a name that looks alike says another", () => {
    const scheduler = { file: "own.json", config: { _class_name: "EulerDiscreteScheduler" } };
    expect(settingsFor(opened({ known, scheduler }), { mode: "distilled" }).distilled).toMatchObject({
      scheduler: { value: "EulerDiscreteScheduler", from: "checkpoint", file: "own.json" },
      steps: { value: 2, from: "recognised" },
      guidance: { value: 0.5, from: "recognised" },
    });
  });

  it("tell a base's own schedule in a hybrid from the shared one", () => {
    expect(settingsFor(source(), { baseScheduler: "DDIMScheduler", ratio: { base: 2, distilled: 1 } })).toMatchObject({
      switch: { value: 1, from: "option" },
      base: {
        scheduler: { value: "DDIMScheduler", from: "option" },
        steps: { value: 6, from: "option" },
      },
    });
  });

  it("are a table of one row for each setting", () => {
    const { columns, rows } = describeSettings(settingsFor(opened({ known }), { mode: "distilled" }));
    expect(columns).toEqual(["setting", "value", "from"]);
    expect(rows).toContainEqual(["distilled: timesteps", "999 499", "pair sdxl-dmd2, recognised by name: dmd2_4step"]);
    expect(rows).toContainEqual(["mode", "distilled", "option"]);
  });
});

describe("names of schedulers", () => {
  it("are those of diffusers, ComfyUI and A1111, with a schedule type", () => {
    const named = (scheduler: string) => sampler({ scheduler })?.scheduler;
    expect(named("dpmpp_2m_sde")).toMatchObject({
      className: "DPMSolverMultistepScheduler",
      settings: { algorithm_type: "sde-dpmsolver++", use_karras_sigmas: true },
    });
    expect(named("Euler Exponential")?.settings).toMatchObject({
      timestep_spacing: "linspace",
      use_karras_sigmas: false,
      use_exponential_sigmas: true,
    });
    expect(() => named("eulr")).toThrow(/nearest are euler/);
  });

  it("give way to a spacing beside them", () => {
    const made = sampler({ scheduler: "euler karras", spacing: "trailing" })?.scheduler.settings;
    expect(made).toMatchObject({ timestep_spacing: "trailing", use_karras_sigmas: true });
    expect(sampler({ sigmas: "normal", scheduler: "ddim" })?.scheduler.settings.timestep_spacing).toBe("linspace");
  });

  it("name the scheduler of a base with a schedule of its own", () => {
    const made = planRequestFor(source(), { mode: "hybrid", baseScheduler: "Heun", baseSteps: 6 });
    expect(made.mode === "hybrid" && "scheduler" in made.base && made.base.scheduler.className).toBe(
      "HeunDiscreteScheduler",
    );
  });
});

describe("hand-off", () => {
  const solverOf = (pair: PlanSource, request: Parameters<typeof planFor>[1]) => {
    const [first] = planFor(pair, request).rows;
    return first?.kind === "step" ? first.solver.kind : null;
  };
  const { row } = source();
  const withDdim: PlanSource = { ...source(), row: row && { ...row, handoff: "ddim" } };

  it("is the request's, else the pair's, else the distilled schedule's solver, with its origin", () => {
    expect(solverOf(source(), {})).toBe("lcm");
    expect(settingsFor(source(), {}).handoff).toEqual({ value: "schedule", from: "default" });
    expect(solverOf(withDdim, {})).toBe("ddim");
    expect(settingsFor(withDdim, {}).handoff).toEqual({ value: "ddim", from: "pair", pair: "mine" });
    expect(solverOf(withDdim, { handoff: "lcm" })).toBe("lcm");
    expect(settingsFor(withDdim, { handoff: "lcm" }).handoff).toEqual({ value: "lcm", from: "option" });
  });

  it("of a pair yields to a scheduler whose steps it cannot replace, where the request's is refused", () => {
    const heun = { scheduler: "HeunDiscreteScheduler", steps: 3 };
    expect(settingsFor(withDdim, heun).handoff).toEqual({ value: "schedule", from: "default" });
    expect(planFor(withDdim, heun)).toEqual(planFor(source(), heun));
    const multistep = { scheduler: "DPMSolverMultistepScheduler", steps: 4 };
    expect(settingsFor(withDdim, multistep).handoff).toEqual({ value: "schedule", from: "default" });
    expect(() => planFor(withDdim, { ...heun, handoff: "ddim" })).toThrow(/--handoff ddim replaces a step of one call/);
  });

  it("is refused beside a schedule of the base's own, where the pair's has no effect", () => {
    expect(() => planFor(source(), { handoff: "ddim", baseSteps: 3 })).toThrow(RequestError);
    expect(planFor(withDdim, { baseSteps: 3 })).toEqual(planFor(source(), { baseSteps: 3 }));
    expect(settingsFor(withDdim, { baseSteps: 3 }).handoff).toBeUndefined();
  });
});
