import { describe, expect, it } from "vitest";
import { type PlanSource, planFor, settingsFor } from "../../src/generate/index.js";
import type { SamplingRequest } from "../../src/sampling/index.js";

const flow = (config: object, file = "scheduler_config.json") => ({
  file,
  config: { _class_name: "FlowMatchEulerDiscreteScheduler", num_train_timesteps: 1000, ...config },
});
const source = (base: object, distilled: object): PlanSource => ({
  row: null,
  family: "zimage",
  image: { size: { width: 1024, height: 1024 }, pixelsPerToken: 16 },
  base: { ref: "a", scheduler: flow(base), embedsGuidance: false },
  distilled: { ref: "b", scheduler: flow(distilled), embedsGuidance: false, isLora: false },
});
/** Z-Image and Z-Image-Turbo. Turbo's levels in 8 steps: 1, 0.9545, 0.9, 0.8333, 0.75, 0.6429, 0.5, 0.3. */
const zImage = source({ shift: 6 }, { shift: 3 });
const byBase = (request: SamplingRequest, pair = zImage) =>
  planFor(pair, request).rows.filter((row) => row.kind === "step" && row.model === "base").length;
const levels = (pair: PlanSource, request: Parameters<typeof planFor>[1]) =>
  planFor(pair, request).rows.map((row) => Number(row.from.sigma.toFixed(4)));

describe("a switch at a noise level", () => {
  it.each([
    [0.8, 3],
    [0.76, 4],
    [0.97, 1],
    [1, 0],
    [0, 8],
  ])("σ = %s is after the step where the distilled schedule is nearest: %s of 8", (sigma, k) => {
    expect(byBase({ steps: 8, switch: { sigma } })).toBe(k);
    expect(settingsFor(zImage, { steps: 8, switch: { sigma } }).switch).toEqual({ value: k, from: "option" });
  });

  it("is near 0.8 by default where one step of eight decides little", () => {
    expect(byBase({ steps: 8 })).toBe(3);
    expect(settingsFor(zImage, { steps: 8 }).switch).toEqual({ value: 3, from: "default" });
  });

  it("lets a base with a schedule of its own end there", () => {
    const rows = planFor(zImage, { steps: 8, switch: { sigma: 0.75 }, baseSteps: 20 }).rows;
    const last = rows.findLast((row) => row.kind === "step" && row.model === "base");
    expect(last?.to.sigma).toBeCloseTo(0.75, 6);
  });

  it("means σ / (α + σ) for diffusion models: SDXL stands at 0.80 after one of four steps (t 749)", () => {
    const config = {
      _class_name: "LCMScheduler",
      num_train_timesteps: 1000,
      beta_start: 0.00085,
      beta_end: 0.012,
      beta_schedule: "scaled_linear",
    };
    const scheduler = { file: "scheduler_config.json", config };
    const sdxl: PlanSource = {
      row: null,
      family: "sdxl",
      base: { ref: "a", scheduler, embedsGuidance: false },
      distilled: { ref: "b", scheduler, embedsGuidance: false, isLora: false },
    };
    expect(byBase({ timesteps: [999, 749, 499, 249], switch: { sigma: 0.8 } }, sdxl)).toBe(1);
    expect(byBase({ timesteps: [999, 749, 499, 249], switch: { sigma: 0.6 } }, sdxl)).toBe(2);
    expect(byBase({ timesteps: [999, 749, 499, 249] }, sdxl)).toBe(1);
  });
});

describe("a dynamic shift", () => {
  const dynamic = {
    use_dynamic_shifting: true,
    base_shift: 0.5,
    max_shift: 1.15,
    base_image_seq_len: 256,
    max_image_seq_len: 4096,
  };
  const pair = source(dynamic, { shift: 3 });

  it("follows the size of the image: μ = 1.15 for 4096 tokens, 0.5 for 256", () => {
    // e^μ / (e^μ + 1 / σ − 1) of σ = 1, 3/4, 1/2, 1/4.
    const shifted = (mu: number) =>
      [1, 0.75, 0.5, 0.25].map((s) => Number((Math.exp(mu) / (Math.exp(mu) + 1 / s - 1)).toFixed(4)));
    expect(levels(pair, { mode: "base", steps: 4 })).toEqual(shifted(1.15));
    expect(levels(pair, { mode: "base", steps: 4, size: { width: 512, height: 128 } })).toEqual(shifted(0.5));
  });

  it("reaches a hybrid whose base has a schedule of its own", () => {
    const small = { width: 256, height: 256 };
    const far = levels(pair, { steps: 4, switch: 2, baseSteps: 12, size: small });
    expect(far).not.toEqual(levels(pair, { steps: 4, switch: 2, baseSteps: 12 }));
    expect(far.slice(-2)).toEqual([0.75, 0.5]);
  });
});
