import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import {
  a1111Names,
  findScheduler,
  isScheduler,
  SAMPLERS,
  SCHEDULERS,
  schedule,
  scheduleFields,
  scheduleTypeNamed,
  switchScheduler,
  WITHOUT_EQUIVALENT,
} from "../../src/sampling/index.js";
import { SCHEDULE_TYPE_NAMES, SCHEDULE_TYPES } from "../../src/sampling/schedule-types.js";
import { scheduler } from "./configs.js";

const found = (name: string) => findScheduler(name, "diffusion");

describe("a1111Names", () => {
  it.each([
    ["EulerAncestralDiscreteScheduler", {}, "Euler a", undefined],
    ["DPMSolverMultistepScheduler", { use_karras_sigmas: true }, "DPM++ 2M", "Karras"],
    ["DPMSolverMultistepScheduler", { algorithm_type: "sde-dpmsolver++" }, "DPM++ 2M SDE", undefined],
    [
      "DPMSolverMultistepScheduler",
      { algorithm_type: "sde-dpmsolver++", solver_type: "heun", use_exponential_sigmas: true },
      "DPM++ 2M SDE Heun",
      "Exponential",
    ],
    // A third order is no sampler of A1111's.
    ["DPMSolverMultistepScheduler", { solver_order: 3 }, null, undefined],
    ["TCDScheduler", {}, null, undefined],
  ] as const)("of %s with %j", (className, given, sampler, type) => {
    expect(a1111Names(scheduler(className, given))).toEqual({ sampler, type });
  });

  it.each(["DPM++ 2M", "DPM++ 2M SDE Heun", "Euler a", "UniPC", "LMS", "PLMS"])("takes %s back as it was", (name) => {
    const { className, fields } = found(name);
    expect(a1111Names(scheduler(className, fields)).sampler).toBe(name);
  });
});

describe("scheduleTypeNamed", () => {
  it.each([
    ...SCHEDULE_TYPE_NAMES.map((name) => [name, name] as const),
    ...([
      ["Karras", "karras"],
      ["SGM Uniform", "sgm_uniform"],
      ["DDIM", "ddim_uniform"],
      ["DDIM Uniform", "ddim_uniform"],
    ] as const),
    ...([
      ["Uniform", "normal"],
      ["Polyexponential", "exponential"],
      ["Beta", "beta"],
    ] as const),
    ...([
      ["Automatic", undefined],
      ["KL Optimal", undefined],
      ["", undefined],
    ] as const),
  ])("%j is %s", (name, type) => {
    expect(scheduleTypeNamed(name)).toBe(type);
  });
});

describe("findScheduler", () => {
  it.each([
    ["EulerDiscreteScheduler", "EulerDiscreteScheduler", undefined],
    ["eulerdiscrete", "EulerDiscreteScheduler", undefined],
    ["KDPM2DiscreteScheduler", "KDPM2DiscreteScheduler", undefined],
    ["KDPM2AncestralDiscrete", "KDPM2AncestralDiscreteScheduler", undefined],
    ["euler", "EulerDiscreteScheduler", undefined],
    ["Euler a", "EulerAncestralDiscreteScheduler", undefined],
    ["euler_a", "EulerAncestralDiscreteScheduler", undefined],
    ["k_euler_a", "EulerAncestralDiscreteScheduler", undefined],
    ["euler_ancestral", "EulerAncestralDiscreteScheduler", undefined],
    ["DPM++ 2M Karras", "DPMSolverMultistepScheduler", "karras"],
    ["dpmpp_2m", "DPMSolverMultistepScheduler", undefined],
    ["dpmpp_2m_sgm_uniform", "DPMSolverMultistepScheduler", "sgm_uniform"],
    ["DPM++ SDE Karras", "DPMSolverSDEScheduler", "karras"],
    ["dpm_2_ancestral", "KDPM2AncestralDiscreteScheduler", undefined],
    ["k_dpm_2", "KDPM2DiscreteScheduler", undefined],
    ["UniPC", "UniPCMultistepScheduler", undefined],
    ["uni_pc", "UniPCMultistepScheduler", undefined],
    ["DEIS", "DEISMultistepScheduler", undefined],
    ["PLMS", "PNDMScheduler", undefined],
    ["LCM", "LCMScheduler", undefined],
    ["heun exponential", "HeunDiscreteScheduler", "exponential"],
  ])("%s is %s", (name, className, type) => {
    expect(found(name)).toMatchObject({ className, type });
  });

  it("sets the fields that make a class the sampler, and none for the name of a class", () => {
    expect(found("DPM++ 2M SDE").fields).toMatchObject({ algorithm_type: "sde-dpmsolver++", solver_type: "midpoint" });
    expect(found("DPM++ 2M SDE Heun Karras").fields).toMatchObject({ solver_type: "heun" });
    expect(found("DPMSolverMultistepScheduler").fields).toEqual({});
  });

  it("names the class for the kind of model", () => {
    expect(findScheduler("euler", "flow-matching").className).toBe("FlowMatchEulerDiscreteScheduler");
    expect(findScheduler("DPM++ 2M", "EDM").className).toBe("EDMDPMSolverMultistepScheduler");
  });

  it("states the nearest sampler for one that diffusers does not have", () => {
    expect(() => found("DPM++ 3M SDE Karras")).toThrow(/no equivalent in diffusers; the nearest here is dpmpp_2m_sde/);
    for (const [name, nearest] of Object.entries(WITHOUT_EQUIVALENT)) {
      expect(() => found(name), name).toThrow(RequestError);
      expect(isScheduler(found(nearest).className), nearest).toBe(true);
    }
  });

  it("suggests the nearest three names for an unknown one", () => {
    expect(() => found("dpmp_2m")).toThrow(/dpmp_2m is not known; the nearest are dpmpp_2m, [^,]+, [^,]+ \(/);
    expect(() => found("EulerDiscretScheduler")).toThrow(/EulerDiscrete/);
  });

  it("has one meaning for every name, and a row for every class", () => {
    const names = SAMPLERS.flatMap(({ comfy = [], a1111 = [] }) => [...comfy, ...a1111]);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(SAMPLERS.map((s) => s.scheduler))).toEqual(new Set(SCHEDULERS));
    for (const { comfy = [], a1111 = [], scheduler: className } of SAMPLERS) {
      for (const name of [...comfy, ...a1111]) expect(found(name).className, name).toBe(className);
    }
  });
});

describe("scheduleFields", () => {
  const sigmasOf = (
    className: "EulerDiscreteScheduler" | "DDIMScheduler",
    type: (typeof SCHEDULE_TYPE_NAMES)[number],
  ) => {
    const config = switchScheduler(scheduler(className), className, scheduleFields(className, type));
    return schedule(config, { steps: 4 }).steps.map((step) => step.timestep);
  };

  it("spaces timesteps as the type does elsewhere", () => {
    // ComfyUI: normal is even from 999 to 0; sgm_uniform and simple start at 999 and end one step before 0; ddim_uniform ends at 1.
    expect(sigmasOf("EulerDiscreteScheduler", "normal")).toEqual([999, 666, 333, 0]);
    expect(sigmasOf("EulerDiscreteScheduler", "sgm_uniform")).toEqual([999, 749, 499, 249]);
    expect(sigmasOf("EulerDiscreteScheduler", "simple")).toEqual([999, 749, 499, 249]);
    expect(sigmasOf("DDIMScheduler", "ddim_uniform")).toEqual([751, 501, 251, 1]);
    const karras = sigmasOf("EulerDiscreteScheduler", "karras");
    expect(karras[0]).toBeCloseTo(999, 3);
    expect(karras[3]).toBe(0);
  });

  it("replaces another type that the file asks for", () => {
    const file = scheduler("EulerDiscreteScheduler", { use_karras_sigmas: true });
    const { settings } = switchScheduler(file, file.className, scheduleFields(file.className, "beta"));
    expect(settings).toMatchObject({ use_karras_sigmas: false, use_beta_sigmas: true });
  });

  it("refuses a type that the class does not have", () => {
    expect(() => scheduleFields("DDIMScheduler", "karras")).toThrow(RequestError);
    expect(() => scheduleFields("LCMScheduler", "sgm_uniform")).toThrow(/LCMScheduler has no schedule sgm_uniform/);
    expect(() => scheduleFields("DPMSolverMultistepScheduler", "normal")).toThrow(/the nearest is sgm_uniform/);
    expect(() => scheduleFields("FlowMatchEulerDiscreteScheduler", "simple")).toThrow(RequestError);
    expect(scheduleFields("FlowMatchEulerDiscreteScheduler", "karras")).toEqual({
      use_karras_sigmas: true,
      use_exponential_sigmas: false,
      use_beta_sigmas: false,
    });
  });

  it("has all types in its list", () => {
    expect(new Set(SCHEDULE_TYPE_NAMES)).toEqual(new Set(Object.keys(SCHEDULE_TYPES)));
  });
});

describe("docs/samplers.md", () => {
  const page = readFileSync(new URL("../../docs/samplers.md", import.meta.url), "utf8");

  it("has every sampler with its names", () => {
    for (const { scheduler: className, comfy = [], a1111 = [] } of SAMPLERS) {
      const line = page
        .split("\n")
        .find((text) => text.includes(`\`${className}\``) && [...comfy, ...a1111].every((name) => text.includes(name)));
      expect(line, `${className} ${comfy.join(" ")} ${a1111.join(" ")}`).toBeDefined();
    }
    for (const name of [...Object.keys(WITHOUT_EQUIVALENT), ...SCHEDULE_TYPE_NAMES]) expect(page).toContain(name);
  });
});
