/** An experiment as data: which rows are painted over which prompts and seeds, what is measured of them, and what is claimed. */
import { z } from "zod";
import { RequestError } from "../errors.js";
import { requestFields } from "../generate/index.js";
import { MODES, samplingFields } from "../sampling/index.js";
import { MEASURES } from "./measures.js";

const text = z.string().min(1);
const count = z.int().min(0);

/** How a row is sampled, as `generate` takes it. */
const sampling = z.strictObject({
  ...samplingFields,
  mode: z.enum(MODES),
  negative: requestFields.negative,
  size: requestFields.size,
});

const row = z.strictObject({
  name: text,
  sampling,
  /** Which models paint it; default: those of the command line. */
  models: z
    .strictObject({ pair: text.exactOptional(), base: text.exactOptional(), distilled: text.exactOptional() })
    .exactOptional(),
  /** A LoRA or slider, and how strongly. */
  adapter: z.strictObject({ ref: text, scale: z.number() }).exactOptional(),
  /** What likeness is measured to; default: the prompt. */
  concept: text.exactOptional(),
  /** The row whose pictures of the same prompts and seeds these are compared with. */
  against: text.exactOptional(),
  /** A number the judge reads, such as "smile", or a factor with values, such as "background=teal|navy": then the share that has one. */
  reads: text.exactOptional(),
  /** Where the row stands on the axis of a plot. */
  x: z.number().exactOptional(),
  /** Follows x0 through the steps: its distance to the end of the run. */
  follow: z.boolean().default(false),
  /** The paper's numbers for this row, by measure. */
  paper: z.partialRecord(z.enum(MEASURES), z.number()).default({}),
});

const claimFields = z.strictObject({
  /** What the paper says. */
  says: text,
  measure: z.enum(MEASURES),
  row: text,
  is: z.enum(["more", "less", "as much", "at least as much"]),
  /** Another row; without one the number itself is compared with 0. */
  than: text.exactOptional(),
});

/** "As much" is within 5 % of the other row: alone, a number has nothing to be 5 % of. */
const claim = claimFields.refine(({ is, than }) => than !== undefined || is === "more" || is === "less", {
  path: ["than"],
  error: 'needed for "as much" and "at least as much"',
});

const prompt = z.union([text, z.strictObject({ prompt: text, seed: count })]);

export const definitionSchema = z.strictObject({
  name: z.string().regex(/^[\w-]+$/, "expected letters, digits and dashes"),
  title: text,
  /** What the paper found, in a sentence or two. */
  found: z.string().default(""),
  /** What the paper measured with, where it was something else than here. */
  paperMeasures: z.partialRecord(z.enum(MEASURES), text).default({}),
  /** A prompt alone begins at seed 0. */
  prompts: z.array(prompt).min(1),
  /** Pictures of every prompt, one for each of so many seeds in a row. */
  seeds: z.int().min(1),
  rows: z.array(row).min(1),
  measures: z.array(z.enum(MEASURES)).min(1),
  /** A measure that is also shown prompt by prompt. */
  byPrompt: z.enum(MEASURES).exactOptional(),
  /** What x is, where rows have one. */
  axis: text.exactOptional(),
  claims: z.array(claim).default([]),
});

export type Definition = z.output<typeof definitionSchema>;
/** As it is written, before defaults are filled in. */
export type DefinitionInput = z.input<typeof definitionSchema>;
export type ExperimentRow = Definition["rows"][number];
export type Claim = Definition["claims"][number];

/** Checks what a JSON file says. @throws RequestError naming the field that is wrong */
export function parseDefinition(file: string, value: unknown): Definition {
  const result = definitionSchema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    const where = issue?.path.join(".") || "the whole";
    throw new RequestError(`${file} is no experiment: ${where}: ${issue?.message ?? "not understood"}`);
  }
  const { rows, claims } = result.data;
  const names = rows.map((r) => r.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new RequestError(`${file} names the row ${JSON.stringify(twice)} twice`);
  const mentioned = [...rows.flatMap((r) => r.against ?? []), ...claims.flatMap((c) => [c.row, c.than ?? c.row])];
  const unknown = mentioned.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new RequestError(`${file} speaks of a row ${JSON.stringify(unknown)}; its rows are ${names.join(", ")}`);
  }
  return result.data;
}

/** One picture that an experiment asks of every row. */
export interface Sitting {
  readonly prompt: string;
  readonly seed: number;
}

/** sittings[p][i]: prompt p with the i-th of its seeds. */
export const sittingsOf = ({ prompts, seeds }: Pick<Definition, "prompts" | "seeds">): Sitting[][] =>
  prompts.map((p) => {
    const { prompt, seed } = typeof p === "string" ? { prompt: p, seed: 0 } : p;
    return Array.from({ length: seeds }, (_, i) => ({ prompt, seed: seed + i }));
  });
