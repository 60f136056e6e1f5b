import { describe, expect, it } from "vitest";
import { makePlan, parsePlan } from "../../src/sampling/index.js";
import { scheduler } from "./configs.js";

/** A plan as older versions wrote it into run.json: `initialScale`, and ᾱ in every noise level. */
const WRITTEN = {
  initialScale: 1,
  rows: [
    {
      kind: "step",
      timestep: 999,
      from: { t: 999, alphaBar: 0.00466009508818388, alpha: 0.06826488913185079, sigma: 0.9976672315515911 },
      at: { t: 999, alphaBar: 0.00466009508818388, alpha: 0.06826488913185079, sigma: 0.9976672315515911 },
      to: { t: 499, alphaBar: 0.27766942977905273, alpha: 0.5269434787328264, sigma: 0.8499003295804439 },
      solver: { kind: "ddim", eps: 0.8499003295804439, noise: 0, draws: false, clip: null },
      model: "base",
      prediction: "epsilon",
      guidance: 5,
      guidanceRescale: 0,
    },
    {
      kind: "renoise",
      from: { t: 499, alphaBar: 0.27766942977905273, alpha: 0.5269434787328264, sigma: 0.8499003295804439 },
      to: { t: 749, alphaBar: 0.05662344768643379, alpha: 0.2379568189534265, sigma: 0.9712757344408262 },
    },
    {
      kind: "step",
      timestep: 749,
      from: { t: 749, alphaBar: 0.05662344768643379, alpha: 0.2379568189534265, sigma: 0.9712757344408262 },
      at: { t: 749, alphaBar: 0.05662344768643379, alpha: 0.2379568189534265, sigma: 0.9712757344408262 },
      to: { t: -1, alphaBar: 1, alpha: 1, sigma: 0 },
      solver: { kind: "lcm", skip: 4.456320022351475e-9, out: 0.99999999777184, draws: false, clip: null },
      model: "distilled",
      prediction: "epsilon",
      guidance: 0,
      guidanceRescale: 0,
    },
  ],
};

describe("parsePlan", () => {
  it("reads older plans as the plan that the same request gives now", () => {
    const plan = makePlan({
      mode: "hybrid",
      switch: 1,
      base: { scheduler: scheduler("DDIMScheduler", { timestep_spacing: "trailing" }), steps: 2, guidance: 5 },
      distilled: { scheduler: scheduler("LCMScheduler"), timesteps: [999, 749], guidance: 0 },
    });
    expect(parsePlan(WRITTEN, "run.json")).toEqual(plan);
  });

  it("reads the steps of DPM++ 2M in older plans", () => {
    const scheduler2m = scheduler("DPMSolverMultistepScheduler", { timestep_spacing: "trailing" });
    const plan = makePlan({ mode: "base", base: { scheduler: scheduler2m, steps: 3, guidance: 5 } });
    const older = plan.rows.map((row) => {
      if (row.kind !== "step" || row.solver.kind !== "linear") return row;
      const { xt, outputs } = row.solver;
      const change = -(outputs[1] ?? 0);
      return { ...row, solver: { kind: "dpm++2m", xt, x0: (outputs[0] ?? 0) - change, change } };
    });
    const again = parsePlan({ ...plan, rows: older }, "run.json");
    expect(again.rows.map((row) => row.kind === "step" && row.solver)).toEqual(
      plan.rows.map(
        (row) =>
          row.kind === "step" &&
          row.solver.kind === "linear" && {
            ...row.solver,
            outputs: row.solver.outputs.map((weight) => expect.closeTo(weight, 12)),
          },
      ),
    );
  });
});
