/** An experiment as data: rows, prompts and seeds, measures, and claims. */
import { z } from "zod";
import { RequestError } from "../errors.js";
import { requestFields } from "../generate/index.js";
import { MODES, samplingFields } from "../sampling/index.js";
import { MEASURES } from "./measures.js";

const text = z.string().min(1);
const count = z.int().min(0);

/** Sampling options of a row, as `generate` takes them. */
const sampling = z.strictObject({
  ...samplingFields,
  mode: z.enum(MODES),
  negative: requestFields.negative,
  size: requestFields.size,
});

const row = z.strictObject({
  name: text,
  sampling,
  /** The models; default: those of the command line. */
  models: z
    .strictObject({ pair: text.exactOptional(), base: text.exactOptional(), distilled: text.exactOptional() })
    .exactOptional(),
  /** A LoRA or slider, and how strongly. */
  adapter: z.strictObject({ ref: text, scale: z.number() }).exactOptional(),
  /** The text of the CLIP score; default: the prompt. */
  concept: text.exactOptional(),
  /** The row whose images of the same prompts and seeds these are compared with. */
  against: text.exactOptional(),
  /** For attribute-change: a number of the classifier, such as "smile", or an attribute with values, such as "background=teal|navy": then the share that has one. */
  attribute: text.exactOptional(),
  /** The row's place on the axis of a plot. */
  x: z.number().exactOptional(),
  /** Measures x0 at every step: its CLIP distance to the final image. */
  follow: z.boolean().default(false),
  /** The paper's numbers for this row, by measure. */
  paper: z.partialRecord(z.enum(MEASURES), z.number()).default({}),
});

const claimFields = z.strictObject({
  /** The claim in words. */
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
  /** The paper's finding, in a sentence or two. */
  found: z.string().default(""),
  /** The paper's measure, where it is another than here. */
  paperMeasures: z.partialRecord(z.enum(MEASURES), text).default({}),
  /** A prompt alone begins at seed 0. */
  prompts: z.array(prompt).min(1),
  /** Images of every prompt, one for each of so many consecutive seeds. */
  seeds: z.int().min(1),
  rows: z.array(row).min(1),
  measures: z.array(z.enum(MEASURES)).min(1),
  /** A measure that is also shown prompt by prompt. */
  byPrompt: z.enum(MEASURES).exactOptional(),
  /** The label of x, where rows have one. */
  axis: text.exactOptional(),
  claims: z.array(claim).default([]),
});

export type Definition = z.output<typeof definitionSchema>;
/** As it is written, before defaults are filled in. */
export type DefinitionInput = z.input<typeof definitionSchema>;
export type ExperimentRow = Definition["rows"][number];
export type Claim = Definition["claims"][number];

/** Earlier names of measures and fields: files that use them keep working for one release. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ["judge-distance", "classifier-distance"],
  ["named", "accuracy"],
  ["likeness", "clip-score"],
  ["reading", "attribute-change"],
  ["reads", "attribute"],
]);
const NAME_FIELDS = new Set(["measure", "measures", "byPrompt"]);

/** A definition with today's names, in its keys and where it names a measure. */
function renamed(value: unknown, isName = false): unknown {
  if (typeof value === "string") return isName ? (RENAMED.get(value) ?? value) : value;
  if (Array.isArray(value)) return value.map((v) => renamed(v, isName));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([k, v]) => [RENAMED.get(k) ?? k, renamed(v, NAME_FIELDS.has(k))]),
  );
}

/** Checks the content of a JSON file. @throws RequestError naming the field that is wrong */
export function parseDefinition(file: string, value: unknown): Definition {
  const result = definitionSchema.safeParse(renamed(value));
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

/** One image that an experiment generates for every row. */
export interface PromptSeed {
  readonly prompt: string;
  readonly seed: number;
}

/** promptSeeds[p][i]: prompt p with the i-th of its seeds. */
export const promptSeeds = ({ prompts, seeds }: Pick<Definition, "prompts" | "seeds">): PromptSeed[][] =>
  prompts.map((p) => {
    const { prompt, seed } = typeof p === "string" ? { prompt: p, seed: 0 } : p;
    return Array.from({ length: seeds }, (_, i) => ({ prompt, seed: seed + i }));
  });
