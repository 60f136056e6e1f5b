import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import {
  advance,
  alphaBar,
  describePlan,
  initialLatents,
  makePlan,
  type Plan,
  parsePlan,
  parseScheduler,
  planJson,
  type Row,
  renoiseRow,
  type SamplerConfig,
  SCHEDULERS,
  type SolverState,
  sameLevel,
  schedule,
  switchScheduler,
} from "../../src/sampling/index.js";
import { createRng, float } from "../../src/tensor/index.js";
import { flowScheduler, scheduler } from "./configs.js";

const dmd2: SamplerConfig = { scheduler: scheduler("LCMScheduler"), timesteps: [999, 749, 499, 249], guidance: 0 };
const shared = { prediction: "epsilon", guidance: 0 } as const;
const ddim = (steps: number, fields: object = {}): SamplerConfig => ({
  scheduler: scheduler("DDIMScheduler", { steps_offset: 1, ...fields }),
  steps,
  guidance: 5,
});

/** Model, timestep, level in, level out. */
const outline = (rows: readonly Row[]) =>
  rows.map((row) =>
    row.kind === "step" ? [row.model, row.timestep, row.from.t, row.to.t] : ["noise", "", row.from.t, row.to.t],
  );

/** Runs a plan with outputs that depend on the latents, the timestep and the place, and nothing else. */
function run(plan: Plan): Float32Array {
  const rng = createRng(5);
  let xt = initialLatents(plan, rng.randn([1, 2, 3, 5]));
  let state: SolverState;
  for (const row of plan.rows) {
    if (row.kind === "renoise") {
      ({ xt, state } = advance(row, { xt, rng, state }));
      continue;
    }
    const output = float(
      xt.shape,
      xt.data.map((x, i) => Math.sin(3 * x + i + row.timestep / 100)),
    );
    ({ xt, state } = advance(row, { xt, output, rng, state }));
  }
  return xt.data;
}

describe("hybrid on the distilled schedule (the paper's recipe)", () => {
  it("gives the first rows to the base model, with its own guidance and prediction", () => {
    const base = { prediction: "v_prediction", guidance: 3, guidanceRescale: 0.7 } as const;
    const { rows } = makePlan({ mode: "hybrid", base, distilled: dmd2, switch: 1 });
    expect(outline(rows)).toEqual([
      ["base", 999, 999, 749],
      ["distilled", 749, 749, 499],
      ["distilled", 499, 499, 249],
      ["distilled", 249, 249, -1],
    ]);
    expect(rows[0]).toMatchObject({ prediction: "v_prediction", guidance: 3, guidanceRescale: 0.7 });
    expect(rows[1]).toMatchObject({ prediction: "epsilon", guidance: 0, guidanceRescale: 0 });
  });

  it("switch 0 is the distilled model alone, switch = steps the base on the distilled schedule", () => {
    const alone = makePlan({ mode: "distilled", distilled: dmd2 });
    expect(makePlan({ mode: "hybrid", base: shared, distilled: dmd2, switch: 0 })).toEqual(alone);
    const all = makePlan({ mode: "hybrid", base: shared, distilled: dmd2, switch: 4 }).rows;
    expect(outline(all).map((cells) => cells[0])).toEqual(["base", "base", "base", "base"]);
    expect(outline(all).map((cells) => cells.slice(1))).toEqual(outline(alone.rows).map((cells) => cells.slice(1)));
  });
});

describe("listed rows for the base, and skipped rows", () => {
  it("gives the base exactly the listed rows", () => {
    const { rows } = makePlan({ mode: "hybrid", base: shared, distilled: dmd2, switch: [1, 3] });
    expect(rows.map((r) => (r.kind === "step" ? r.model : r.kind))).toEqual(["distilled", "base", "distilled", "base"]);
    expect(() => makePlan({ mode: "hybrid", base: shared, distilled: dmd2, switch: [4] })).toThrow("rows 0 to 3");
    expect(() => makePlan({ mode: "hybrid", base: ddim(8), distilled: dmd2, switch: [1] })).toThrow(RequestError);
  });

  it("uses unit noise as latents of the first remaining row", () => {
    const skipped = makePlan({ mode: "distilled", distilled: dmd2, skip: 1 });
    expect(outline(skipped.rows)).toEqual(outline(makePlan({ mode: "distilled", distilled: dmd2 }).rows).slice(1));
    expect(skipped.initNoiseScale).toBe(1);
    // Euler's noise is σ of that level in sigma space: sigma in variance-preserving terms (field: 4.0817 / √(1 + 4.0817²)).
    const euler: SamplerConfig = {
      scheduler: scheduler("EulerDiscreteScheduler", { timestep_spacing: "trailing" }),
      steps: 4,
      guidance: 0,
    };
    expect(makePlan({ mode: "base", base: euler, skip: 1 }).initNoiseScale).toBeCloseTo(0.971_28, 4);
    expect(makePlan({ mode: "base", base: euler }).initNoiseScale).toBeCloseTo(0.997_67, 4);
    for (const skip of [4, -1, 0.5]) expect(() => makePlan({ mode: "base", base: euler, skip })).toThrow("0 to 3");
  });

  it("starts a multistep solver without history after skipped rows", () => {
    const dpm: SamplerConfig = { scheduler: scheduler("DPMSolverMultistepScheduler"), steps: 5, guidance: 0 };
    const first = makePlan({ mode: "base", base: dpm, skip: 2 }).rows[0];
    expect(first?.kind === "step" && first.solver).toMatchObject({
      kind: "linear",
      method: "dpm++1m",
      outputs: [expect.any(Number)],
    });
  });
});

describe("hybrid with a base schedule of its own", () => {
  it("runs the base to below the distilled row's level and adds noise back up to it", () => {
    // DDIM leading 20: 951, 901, …, 751, 701; the distilled row 1 is at 749, so the base ends at 701 and noise brings it to 749.
    const { rows } = makePlan({ mode: "hybrid", base: ddim(20), distilled: dmd2, switch: 1 });
    expect(outline(rows)).toEqual([
      ["base", 951, 951, 901],
      ["base", 901, 901, 851],
      ["base", 851, 851, 801],
      ["base", 801, 801, 751],
      ["base", 751, 751, 701],
      ["noise", "", 701, 749],
      ["distilled", 749, 749, 499],
      ["distilled", 499, 499, 249],
      ["distilled", 249, 249, -1],
    ]);
  });

  it("adds no noise where the levels are equal, also when one scheduler works in sigmas", () => {
    const euler: SamplerConfig = {
      scheduler: scheduler("EulerDiscreteScheduler", { timestep_spacing: "trailing" }),
      steps: 4,
      guidance: 5,
    };
    const plan = makePlan({ mode: "hybrid", base: euler, distilled: dmd2, switch: 2 });
    expect(outline(plan.rows)).toEqual([
      ["base", 999, 999, 749],
      ["base", 749, 749, 499],
      ["distilled", 499, 499, 249],
      ["distilled", 249, 249, -1],
    ]);
    expect(plan.initNoiseScale).toBeCloseTo(0.997667, 6);
  });

  it("gives the base at least one row, even where its schedule starts below the hand-off", () => {
    const { rows } = makePlan({
      mode: "hybrid",
      base: ddim(4),
      distilled: { ...dmd2, timesteps: [999, 879] },
      switch: 1,
    });
    expect(outline(rows).slice(0, 3)).toEqual([
      ["base", 751, 751, 501],
      ["noise", "", 501, 879],
      ["distilled", 879, 879, -1],
    ]);
  });

  it("with switch = steps is the base's whole schedule", () => {
    const plan = makePlan({ mode: "hybrid", base: ddim(6), distilled: dmd2, switch: 4 });
    expect(plan).toEqual(makePlan({ mode: "base", base: ddim(6) }));
  });

  it("starts the distilled model's solver without history", () => {
    const dpm = (steps: number): SamplerConfig => ({
      scheduler: scheduler("DPMSolverMultistepScheduler"),
      steps,
      guidance: 0,
    });
    const { rows } = makePlan({ mode: "hybrid", base: dpm(9), distilled: dpm(6), switch: 3 });
    const changes = rows.flatMap((row) =>
      row.kind === "step" && row.solver.kind === "linear" ? [[row.model, row.solver.outputs.length > 1]] : [],
    );
    const handOff = changes.findIndex(([model]) => model === "distilled");
    expect(changes[handOff - 1]).toEqual(["base", true]);
    expect(changes[handOff]).toEqual(["distilled", false]);
    expect(changes[handOff + 1]).toEqual(["distilled", true]);
  });

  it("refuses to start PNDM midway", () => {
    const pndm: SamplerConfig = { scheduler: scheduler("PNDMScheduler"), steps: 10, guidance: 0 };
    expect(() => makePlan({ mode: "hybrid", base: ddim(20), distilled: pndm, switch: 2 })).toThrow(
      /PNDM cannot start midway/,
    );
  });
});

describe("hybrid of flow models", () => {
  const flow = (fields: object, spec: Partial<SamplerConfig>): SamplerConfig => ({
    scheduler: flowScheduler(fields),
    guidance: 0,
    ...spec,
  });
  const turbo = flow({ shift: 3 }, { sigmas: [1, 0.75, 0.5, 0.25] });

  it("shares the distilled schedule", () => {
    const base = { prediction: "flow_prediction", guidance: 4 } as const;
    const { rows, initNoiseScale } = makePlan({ mode: "hybrid", base, distilled: turbo, switch: 1 });
    expect(rows.map((r) => r.kind === "step" && [r.model, r.guidance, r.solver.kind])).toEqual([
      ["base", 4, "euler"],
      ...[1, 2, 3].map(() => ["distilled", 0, "euler"]),
    ]);
    expect(rows.map((r) => r.from.sigma)).toEqual([1, 0.9, 0.75, 0.5].map((sigma) => expect.closeTo(sigma, 6)));
    expect(initNoiseScale).toBe(1);
  });

  it("runs the base on its own shifted schedule, down to exactly the distilled level", () => {
    // Base: 1, 0.8, 0.6, …; the distilled row 2 is at 0.75.
    const base = flow({}, { sigmas: [1, 0.8, 0.6, 0.4, 0.2] });
    const { rows } = makePlan({ mode: "hybrid", base, distilled: turbo, switch: 2 });
    expect(rows.map((r) => [r.kind, ...[r.from, r.to].map((level) => Math.round(level.t))])).toEqual([
      ["step", 1000, 800],
      ["step", 800, 750],
      ["step", 750, 500],
      ["step", 500, -1],
    ]);
  });

  it("adds no noise where σ is equal, whatever the shifts are", () => {
    // σ / (2 − σ) of a shift by 1/2 at σ = 6/7 is 0.75.
    const base = flow({ shift: 0.5 }, { sigmas: [1, 6 / 7, 0.5] });
    const { rows } = makePlan({ mode: "hybrid", base, distilled: turbo, switch: 2 });
    expect(rows.map((r) => r.kind)).toEqual(["step", "step", "step"]);
  });

  it("uses the image size for dynamic shifting", () => {
    const config = (tokens?: number) => flow({ use_dynamic_shifting: true }, { steps: 4, tokens });
    const sigma = (tokens: number) => makePlan({ mode: "base", base: config(tokens) }).rows[1]?.from.sigma ?? 0;
    expect(sigma(4096)).toBeGreaterThan(sigma(960));
    expect(() => makePlan({ mode: "base", base: config() })).toThrow(RequestError);
  });

  it("shares no schedule with a diffusion model", () => {
    const base = { prediction: "epsilon", guidance: 0 } as const;
    expect(() => makePlan({ mode: "hybrid", base, distilled: turbo, switch: 1 })).toThrow(RequestError);
    const other = { prediction: "flow_prediction", guidance: 0 } as const;
    expect(() => makePlan({ mode: "hybrid", base: other, distilled: dmd2, switch: 1 })).toThrow(RequestError);
  });

  it("is described by flow sigmas", () => {
    const { rows } = describePlan(makePlan({ mode: "distilled", distilled: turbo }));
    expect(rows[0]).toEqual(["0", "distilled", "1000", "1000 / 1.000", "900 / 0.9000", "0", "flow", "euler"]);
    expect(rows[3]?.slice(3, 5)).toEqual(["500 / 0.5000", "clean"]);
  });
});

describe("solvers that call the network twice a step", () => {
  const heun = (steps: number): SamplerConfig => ({
    scheduler: scheduler("HeunDiscreteScheduler", { timestep_spacing: "trailing" }),
    steps,
    guidance: 0,
  });

  it("have two rows a step, and one for the last", () => {
    expect(outline(makePlan({ mode: "base", base: heun(3) }).rows)).toEqual([
      ["base", 999, 999, 666],
      ["base", 666, 666, 666],
      ["base", 666, 666, 332],
      ["base", 332, 332, 332],
      ["base", 332, 332, -1],
    ]);
    const table = describePlan(makePlan({ mode: "base", base: heun(2) }));
    expect(table.rows.map((row) => row.at(-1))).toEqual(["heun, first call", "heun", "heun"]);
  });

  it("switch between steps, never between the two calls of one", () => {
    const models = (k: number) =>
      makePlan({ mode: "hybrid", base: shared, distilled: heun(3), switch: k }).rows.map(
        (row) => row.kind === "step" && row.model,
      );
    expect(models(1)).toEqual(["base", "base", "distilled", "distilled", "distilled"]);
    expect(models(2)).toEqual(["base", "base", "base", "base", "distilled"]);
    expect(models(3).every((model) => model === "base")).toBe(true);
    expect(() => models(4)).toThrow(/switch is 4; expected an integer from 0 to 3, the number of steps/);
  });

  it("hand over on their own schedules after a whole step, at the level of a step", () => {
    const own = makePlan({ mode: "hybrid", base: heun(9), distilled: heun(3), switch: 1 }).rows;
    const noise = own.findIndex((row) => row.kind === "renoise" || row.model === "distilled");
    // Nine steps: 999, 888, 777, 666. The base ends a step at 666, whichever call reaches it first.
    expect(outline(own.slice(noise - 1))).toEqual([
      ["base", 666, 666, 666],
      ["distilled", 666, 666, 332],
      ["distilled", 332, 332, 332],
      ["distilled", 332, 332, -1],
    ]);
    const lcm = makePlan({ mode: "hybrid", base: heun(9), distilled: dmd2, switch: 1 }).rows;
    expect(outline(lcm.slice(-5, -2))).toEqual([
      ["base", 666, 666, 666],
      ["noise", "", 666, 749],
      ["distilled", 749, 749, 499],
    ]);
  });

  it("skip whole steps", () => {
    expect(outline(makePlan({ mode: "base", base: heun(3), skip: 1 }).rows)[0]).toEqual(["base", 666, 666, 332]);
  });
});

describe("EDM", () => {
  const edm = (fields: object = {}): SamplerConfig => ({
    scheduler: parseScheduler({ _class_name: "EDMEulerScheduler", ...fields }, "scheduler_config.json"),
    steps: 4,
    guidance: 0,
  });

  it("gives latents as the network sees them, and timesteps log(σ) / 4", () => {
    const [first] = makePlan({ mode: "base", base: edm() }).rows;
    // c_in = 1 / √(80² + 0.5²); log(80) / 4 = 1.0955.
    expect(first?.from.alpha).toBeCloseTo(1 / Math.sqrt(6400.25), 12);
    expect(first?.from.sigma).toBeCloseTo(80 / Math.sqrt(6400.25), 12);
    expect(first?.kind === "step" && first.timestep).toBeCloseTo(1.0955, 4);
  });

  it("shares no schedule with another formulation", () => {
    expect(() => makePlan({ mode: "hybrid", base: shared, distilled: edm(), switch: 1 })).toThrow(/EDM/);
    expect(() => switchScheduler(edm().scheduler, "EulerDiscreteScheduler")).toThrow(/EDM models/);
  });
});

describe("PNDM", () => {
  it("runs one row more than it has timesteps; the second timestep twice", () => {
    const config: SamplerConfig = { scheduler: scheduler("PNDMScheduler", { steps_offset: 1 }), steps: 4, guidance: 0 };
    expect(outline(makePlan({ mode: "base", base: config }).rows)).toEqual([
      ["base", 751, 751, 501],
      ["base", 501, 501, 501],
      ["base", 501, 501, 251],
      ["base", 251, 251, 1],
      ["base", 1, 1, 0],
    ]);
  });
});

/** Any plan that SD's betas allow. */
const anyPlan = fc
  .record({
    mode: fc.constantFrom("base", "distilled", "shared", "own"),
    base: fc.constantFrom(...SCHEDULERS),
    distilled: fc.constantFrom(...SCHEDULERS.filter((name) => name !== "PNDMScheduler")),
    spacing: fc.constantFrom("leading", "trailing", "linspace"),
    baseSteps: fc.integer({ min: 1, max: 25 }),
    steps: fc.integer({ min: 1, max: 8 }),
    eta: fc.constantFrom(0, 0.3, 1),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    prediction: fc.constantFrom("epsilon", "v_prediction"),
  })
  .map(({ mode, at, ...given }) => {
    const fields = { timestep_spacing: given.spacing, prediction_type: given.prediction, steps_offset: 1 };
    const base: SamplerConfig = {
      scheduler: scheduler(given.base, fields),
      steps: given.baseSteps,
      guidance: 2,
      eta: given.eta,
    };
    const distilled: SamplerConfig = {
      scheduler: scheduler(given.distilled, { ...fields, timestep_spacing: "trailing" }),
      steps: given.steps,
      guidance: 0,
      eta: given.eta,
    };
    if (mode === "base") return makePlan({ mode, base });
    if (mode === "distilled") return makePlan({ mode, distilled });
    const k = Math.round(at * given.steps);
    const { prediction_type: own } = distilled.scheduler.settings;
    const borrowed = /^(flow|edm)/.test(own) ? { prediction: own, guidance: 0 } : shared;
    return makePlan({ mode: "hybrid", base: mode === "own" ? base : borrowed, distilled, switch: k });
  });

describe("every plan", () => {
  it("is plain JSON: written, read and run it gives the same latents to the bit", () => {
    fc.assert(
      fc.property(anyPlan, (plan) => {
        const again = parsePlan(JSON.parse(JSON.stringify(plan)), "run.json");
        expect(parsePlan(JSON.parse(JSON.stringify(planJson(plan))), "run.json")).toEqual(again);
        const latents = run(plan);
        expect(latents.every(Number.isFinite)).toBe(true);
        expect(run(again)).toEqual(latents);
      }),
      { numRuns: 60 },
    );
  });

  it("starts each row at the level where the previous one ended", () => {
    fc.assert(
      fc.property(anyPlan, ({ rows }) => {
        rows.forEach((row, i) => {
          const before = rows[i - 1];
          if (before) expect(row.from).toEqual(before.to);
          if (row.kind === "renoise") {
            expect(alphaBar(row.to)).toBeLessThan(alphaBar(row.from));
            const after = rows[i + 1];
            expect(after?.kind === "step" && sameLevel(after.at, row.to)).toBe(true);
          }
        });
        expect(rows.at(-1)?.to.sigma).toBeLessThan(0.03);
      }),
      { numRuns: 150 },
    );
  });

  it("is described in rows as wide as its columns", () => {
    fc.assert(
      fc.property(anyPlan, (plan) => {
        const { columns, rows } = describePlan(plan);
        expect(rows).toHaveLength(plan.rows.length);
        for (const row of rows) expect(row).toHaveLength(columns.length);
      }),
      { numRuns: 30 },
    );
  });
});

describe("describePlan", () => {
  it("writes levels as timestep and σ", () => {
    const plan = makePlan({ mode: "hybrid", base: ddim(20), distilled: dmd2, switch: 1 });
    const { rows } = describePlan(plan);
    expect(rows[4]).toEqual(["4", "base", "751", "751 / 4.117", "701 / 3.348", "5", "ε", "ddim"]);
    expect(rows[5]).toEqual(["5", "", "", "701 / 3.348", "749 / 4.082", "", "", "re-noise"]);
    expect(rows[6]).toEqual(["6", "distilled", "749", "749 / 4.082", "499 / 1.613", "0", "ε", "lcm + noise"]);
    expect(rows[8]).toEqual(["8", "distilled", "249", "249 / 0.6932", "clean", "0", "ε", "lcm"]);
  });
});

describe("refusals", () => {
  const hybrid = (k: number, distilled: SamplerConfig = dmd2) =>
    makePlan({ mode: "hybrid", base: shared, distilled, switch: k });

  it.each([5, -1, 1.5, Number.NaN])("switch %d", (k) => {
    expect(() => hybrid(k)).toThrow(RequestError);
    expect(() => hybrid(k)).toThrow(new RegExp(`switch is ${k}; expected an integer from 0 to 4`));
  });

  it("numbers out of range, by name", () => {
    expect(() => hybrid(1, { ...dmd2, guidance: Number.NaN })).toThrow(/guidance of the distilled model is NaN/);
    expect(() => hybrid(1, { ...dmd2, guidanceRescale: 2 })).toThrow(
      /rescale of the distilled model is 2; expected 0 to 1/,
    );
    expect(() => hybrid(1, { ...dmd2, eta: -0.1 })).toThrow(/eta is -0.1; expected 0 to 1/);
    expect(() => hybrid(1, { ...dmd2, timesteps: [249, 499] })).toThrow(/must decrease/);
  });

  it("epsilon at pure noise", () => {
    const zero = ddim(4, { rescale_betas_zero_snr: true, timestep_spacing: "trailing" });
    expect(() => makePlan({ mode: "base", base: zero })).toThrow(/pure noise.*expected v_prediction/);
  });

  it("a base that predicts x0 on a schedule whose solver does not support it", () => {
    const turbo: SamplerConfig = { scheduler: scheduler("EulerAncestralDiscreteScheduler"), steps: 4, guidance: 0 };
    const base = { prediction: "sample", guidance: 0 } as const;
    expect(() => makePlan({ mode: "hybrid", base, distilled: turbo, switch: 1 })).toThrow(/predicts sample/);
  });

  it("re-noising to a cleaner level", () => {
    const { levelAt } = schedule(scheduler("DDIMScheduler"), { steps: 1 });
    expect(() => renoiseRow(levelAt(749), levelAt(701))).toThrow(/cannot re-noise from t 749 .* to the cleaner t 701/);
    expect(renoiseRow(levelAt(701), levelAt(749)).kind).toBe("renoise");
  });

  it("JSON that is not a plan, naming the path", () => {
    const plan = JSON.parse(JSON.stringify(hybrid(1)));
    plan.rows[2].solver.kind = "magic";
    expect(() => parsePlan(plan, "run.json")).toThrow(/run\.json: this is not a plan: rows\.2\.solver/);
    expect(() => parsePlan(null, "run.json")).toThrow(/this is not a plan/);
  });
});

describe("hand-off of a base on the distilled schedule", () => {
  const distilled = { scheduler: scheduler("LCMScheduler"), timesteps: [999, 749, 499, 249], guidance: 0 };
  const hybrid = (handoff?: "ddim" | "lcm" | "schedule", of: SamplerConfig = distilled, k = 2) =>
    makePlan({ mode: "hybrid", switch: k, base: { prediction: "epsilon", guidance: 0, handoff }, distilled: of });

  it("by ddim equals a base with a DDIM schedule of its own over the same timesteps", () => {
    const ddim = scheduler("DDIMScheduler", { timestep_spacing: "trailing" });
    const own = makePlan({ mode: "hybrid", switch: 2, base: { scheduler: ddim, steps: 4, guidance: 0 }, distilled });
    expect(own.rows.filter((row) => row.kind === "renoise")).toEqual([]);
    expect(hybrid("ddim").rows).toEqual(own.rows);
  });

  it("by lcm is the distilled schedule's own step where that is LCM's, and renews the noise elsewhere", () => {
    expect(hybrid("lcm")).toEqual(hybrid("schedule"));
    expect(hybrid()).toEqual(hybrid("schedule"));
    const euler = { scheduler: scheduler("EulerDiscreteScheduler"), steps: 3, guidance: 0 };
    const solvers = (handoff: "lcm" | "schedule") =>
      hybrid(handoff, euler, 1).rows.map((row) => (row.kind === "step" ? row.solver : null));
    expect(solvers("schedule").map((s) => s?.kind)).toEqual(["euler", "euler", "euler"]);
    expect(solvers("lcm")[0]).toEqual({ kind: "lcm", skip: 0, out: 1, draws: true, clip: null });
    expect(solvers("lcm").slice(1)).toEqual(solvers("schedule").slice(1));
  });

  it("draws nothing where the base runs the last row", () => {
    const last = hybrid("ddim", distilled, 4).rows.at(-1);
    expect(last?.kind === "step" && last.solver).toEqual({ kind: "ddim", eps: 0, noise: 0, draws: false, clip: null });
  });

  it("is refused for a solver of several calls a step", () => {
    const heun = { scheduler: scheduler("HeunDiscreteScheduler"), steps: 3, guidance: 0 };
    expect(() => hybrid("ddim", heun, 1)).toThrow(/--handoff ddim replaces a step of one call.*heun/);
  });
});
