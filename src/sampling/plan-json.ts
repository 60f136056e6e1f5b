/** Plans as JSON in run.json and in a PNG's text chunk: short to write, and parsed from there or from one written by hand. */
import { z } from "zod";
import { FileError } from "../errors.js";
import { choiceSchema } from "./choice-spec.js";
import { hookSchema } from "./hooks/hook.js";
import type { NoiseLevel } from "./level.js";
import type { Plan, RenoiseRow, Row, StepRow } from "./plan.js";
import { linearStep, type SolverSpec } from "./solver-spec.js";

const level = z.object({ t: z.number(), alpha: z.number(), sigma: z.number() });
const draws = z.boolean();
const clip = z.number().nullable();
const n = z.number();

const known = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("ddim"), eps: n, noise: n, draws, clip }),
  z.object({ kind: z.literal("ddpm"), x0: n, xt: n, noise: n, draws, clip }),
  z.object({
    kind: z.literal("pndm"),
    stage: z.enum(["start", "repeat", "multistep"]),
    weights: z.array(n).min(1).max(4),
    xt: n,
    eps: n,
    alpha: n,
    sigma: n,
  }),
  z.object({ kind: z.literal("euler") }),
  z.object({ kind: z.literal("euler-ancestral"), eps: n, noise: n }),
  z.object({
    kind: z.literal("linear"),
    method: z.string(),
    of: z.enum(["x0", "eps"]),
    xt: n,
    kept: n,
    outputs: z.array(n).min(1).max(4),
    noise: n,
    draws,
    correlation: n.min(-1).max(1),
    corrector: z.object({ kept: n, outputs: z.array(n).min(1).max(4) }).nullable(),
    keeps: z.boolean(),
    open: z.boolean(),
    clip,
  }),
  z.object({ kind: z.literal("lcm"), skip: n, out: n, draws, clip }),
  z.object({ kind: z.literal("tcd"), alpha: n, sigma: n, scale: n, noise: n, draws }),
]);

/** DPM++ 2M in older plans: weights of x0 and of its change since the step before. */
const dpm = z
  .object({ kind: z.literal("dpm++2m"), xt: n, x0: n, change: n })
  .transform(({ xt, x0, change }): SolverSpec => {
    const outputs = change === 0 ? [x0] : [x0 + change, -change];
    return linearStep({ method: `dpm++${outputs.length}m`, of: "x0", xt, outputs });
  });
const solver = z.union([known, dpm]);

const row = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("step"),
    model: z.enum(["base", "distilled"]),
    timestep: n,
    from: level.optional(),
    at: level.optional(),
    to: level,
    prediction: z.enum(["epsilon", "v_prediction", "sample", "flow_prediction", "edm", "edm_v"]),
    guidance: n,
    trueGuidance: n.exactOptional(),
    guidanceRescale: n,
    guidanceNormalization: n.exactOptional(),
    guidanceTokens: z.int().min(1).exactOptional(),
    solver,
    loraScale: n.exactOptional(),
    hooks: z.array(hookSchema).exactOptional(),
    choice: choiceSchema.exactOptional(),
  }),
  z.object({ kind: z.literal("renoise"), from: level.optional(), to: level }),
]);

/** Older plans have `initialScale` for `initNoiseScale`, and ᾱ in every noise level, which is dropped. */
const renamed = (json: unknown): unknown =>
  typeof json === "object" && json !== null && "initialScale" in json
    ? { initNoiseScale: json.initialScale, ...json }
    : json;

const plan = z.preprocess(renamed, z.object({ initNoiseScale: n, rows: z.array(row) }));
type WrittenRow = z.output<typeof row>;

type WithOptional<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;

/** A plan as `planJson` writes it. */
export interface PlanJson {
  readonly initNoiseScale: number;
  readonly rows: readonly (WithOptional<StepRow, "from" | "at"> | WithOptional<RenoiseRow, "from">)[];
}

/**
 * A plan without the noise levels that follow from others: `from` is left out where it is the previous row's `to`, `at` where it is
 * `from`. `parsePlan` gives the plan again.
 */
export function planJson({ initNoiseScale, rows }: Plan): PlanJson {
  const written = rows.map((each, i) => {
    const before = rows[i - 1]?.to;
    const { from, ...rest } = each;
    const start = before && isSame(before, from) ? {} : { from };
    if (rest.kind === "renoise") return { ...rest, ...start };
    const { at, ...step } = rest;
    return { ...step, ...start, ...(isSame(at, from) ? {} : { at }) };
  });
  return { initNoiseScale, rows: written };
}

const isSame = (a: NoiseLevel, b: NoiseLevel): boolean => a.t === b.t && a.alpha === b.alpha && a.sigma === b.sigma;

/** Fills in the levels that `planJson` leaves out; null where the first row has no `from`. */
function filledIn(rows: readonly WrittenRow[]): Row[] | null {
  const full: Row[] = [];
  for (const each of rows) {
    const from = each.from ?? full.at(-1)?.to;
    if (!from) return null;
    full.push(each.kind === "renoise" ? { ...each, from } : { ...each, from, at: each.at ?? from });
  }
  return full;
}

/** The plan in parsed JSON. @throws FileError naming the path of the first invalid value */
export function parsePlan(json: unknown, file: string): Plan {
  const result = plan.safeParse(json);
  const rows = result.success ? filledIn(result.data.rows) : null;
  if (result.success && rows) return { initNoiseScale: result.data.initNoiseScale, rows };
  const [issue = { path: ["rows", 0, "from"], message: "is missing" }] = result.error?.issues ?? [];
  throw new FileError(file, `this is not a plan: ${issue.path.join(".") || "the whole"}: ${issue.message}`);
}
