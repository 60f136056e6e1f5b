import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  advance,
  initialLatents,
  makePlan,
  parseScheduler,
  type SamplerConfig,
  type SchedulerConfig,
  type SolverState,
  type StepRow,
  switchScheduler,
} from "../../src/sampling/index.js";
import { createRng, type FloatTensor, stack } from "../../src/tensor/index.js";
import { description, farthest, namesIn, tensors } from "../support/parity.js";

const file = z.looseObject({ _class_name: z.string() });
const numbers = z.array(z.number());
const spec = z.object({
  steps: z.number().optional(),
  timesteps: numbers.optional(),
  sigmas: numbers.optional(),
  tokens: z.number().optional(),
  mu: z.number().optional(),
});
const schema = z.object({
  shape: z.array(z.number()),
  seeds: z.object({ latents: z.number(), noise: z.number(), outputs: z.number() }),
  cases: z.array(
    z.object({
      name: z.string(),
      file,
      fields: z.record(z.string(), z.unknown()).default({}),
      walk: spec,
      eta: z.number().default(0),
      timesteps: z.array(z.number()),
    }),
  ),
});
const countsSchema = z.object({
  cases: z.array(z.object({ class: z.string(), file, steps: z.number(), timesteps: z.array(z.number()) })),
});

const FLOW = "FlowMatchEulerDiscreteScheduler";

/** Root mean square of one step: float32 in sigma space loses this much where σ is large. */
const WITHIN = 2e-5;
/** With zero terminal SNR and with cosine betas σ begins in the thousands: diffusers' own float32 carries no more than this. */
const WITHIN_LARGE_SIGMA = 1e-3;
/** EDM begins at σ = 80, and DPM2 a splits σ into two roots of differences: float32 loses a little more than in one step of Euler. */
const WITHIN_BY_CLASS: Readonly<Record<string, number>> = {
  EDMEulerScheduler: 1e-4,
  KDPM2AncestralDiscreteScheduler: 1e-4,
};

function withinOf(className: string, file: Readonly<Record<string, unknown>>): number {
  const large = file["rescale_betas_zero_snr"] === true;
  const heun = className === "HeunDiscreteScheduler" && file["beta_schedule"] === "squaredcos_cap_v2";
  return large || heun ? WITHIN_LARGE_SIGMA : (WITHIN_BY_CLASS[className] ?? WITHIN);
}

/** diffusers' from_config. */
function schedulerOf(
  className: string,
  given: z.output<typeof file>,
  fields: Record<string, unknown>,
): SchedulerConfig {
  const own = parseScheduler(given, "scheduler_config.json");
  const stays = own.className === className && Object.keys(fields).length === 0;
  return stays ? own : switchScheduler(own, className, fields);
}

function rowsOf(config: SamplerConfig) {
  const plan = makePlan({ mode: "base", base: config });
  return { plan, rows: plan.rows.filter((row): row is StepRow => row.kind === "step") };
}

describe.each(namesIn("schedulers").filter((name) => name !== "timesteps"))("%s", async (className) => {
  const { cases, seeds, shape } = description(`schedulers/${className}`, schema);
  const recorded = await tensors(`schedulers/${className}`);

  it.each(cases)("$name", (golden) => {
    const scheduler = schedulerOf(className, golden.file, golden.fields);
    const { plan, rows } = rowsOf({ scheduler, ...golden.walk, guidance: 0, eta: golden.eta });
    const timesteps = rows.map((row) => row.timestep);
    if (golden.file._class_name === FLOW) expect(timesteps).toEqual(golden.timesteps);
    else expectTimesteps(timesteps, golden.timesteps, className !== "KDPM2AncestralDiscreteScheduler");

    const rng = createRng(seeds.noise);
    let xt = initialLatents(plan, createRng(seeds.latents).randn(shape));
    let state: SolverState;
    const latents: FloatTensor[] = [xt];
    const clean: FloatTensor[] = [];
    for (const [i, row] of rows.entries()) {
      const output = createRng(seeds.outputs + i).randn(shape);
      const step = advance(row, { xt, output, rng, state });
      ({ xt, state } = step);
      latents.push(xt);
      clean.push(step.x0);
    }
    const within = withinOf(className, golden.file);
    expectSteps(latents, recorded.float(`${golden.name}/xt`), within, "x_t");
    if (recorded.has(`${golden.name}/x0`)) expectSteps(clean, recorded.float(`${golden.name}/x0`), within, "x0");
  });
});

describe("timesteps alone", () => {
  const { cases } = description("schedulers/timesteps", countsSchema);
  it.each(cases.map((c) => ({ ...c, title: `${c.class} ${String(c.file["timestep_spacing"])} ${c.steps}` })))(
    "$title",
    (golden) => {
      const { rows } = rowsOf({ scheduler: parseScheduler(golden.file, "file"), steps: golden.steps, guidance: 0 });
      expectTimesteps(
        rows.map((row) => row.timestep),
        golden.timesteps,
      );
    },
  );
});

/**
 * Exactly; where a timestep comes out of NumPy's float32 logarithm (Karras), to its last bits. The middle of a DPM2 a step is at
 * the next timestep, but for a root of a difference in float32.
 */
function expectTimesteps(actual: readonly number[], expected: readonly number[], exact = true): void {
  expect(actual.length).toBe(expected.length);
  expect(actual).toEqual(
    expected.map((t) => (exact && Number.isInteger(4 * t) ? t : expect.closeTo(t, exact ? 3 : 2))),
  );
}

/** Step by step, so that a message names the step. */
function expectSteps(actual: readonly FloatTensor[], expected: FloatTensor, within: number, what: string): void {
  expect([actual.length, ...(actual[0]?.shape.slice(1) ?? [])]).toEqual(expected.shape);
  const size = expected.data.length / actual.length;
  for (const [i, x] of actual.entries()) {
    const theirs = expected.data.subarray(i * size, (i + 1) * size);
    expect(farthest(stack([x]).data, theirs), `${what} at ${i}`).toBeLessThan(within);
  }
}
