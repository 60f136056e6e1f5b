/** Schema of an experiment definition: rows, prompts, seeds, measures and claims. */
import { z } from "zod";
import { RequestError } from "../errors.js";
import { requestFields } from "../generate/index.js";
import { MODES, settledFields } from "../sampling/index.js";
import { parseRequest } from "../schema/index.js";
import { MEASURES } from "./measures.js";

const text = z.string().min(1);
const count = z.int().min(0);

/** Sampling options of a row, as in a generate request. */
const sampling = z.strictObject({
  ...settledFields,
  mode: z.enum(MODES),
  negative: requestFields.negative,
  promptSyntax: requestFields.promptSyntax,
  clipSkip: requestFields.clipSkip,
  size: requestFields.size,
});

const row = z.strictObject({
  name: text,
  sampling,
  /** Models; default: those of the command line, whose base a distilled model alone runs with. */
  models: z
    .strictObject({ pair: text.exactOptional(), base: text.exactOptional(), distilled: text.exactOptional() })
    .exactOptional(),
  /** LoRA or slider, and its scale. */
  adapter: z.strictObject({ ref: text, scale: z.number() }).exactOptional(),
  /** Text of the CLIP score; default: the prompt. */
  concept: text.exactOptional(),
  /** Row to compare with, image by image of the same prompt and seed. */
  against: text.exactOptional(),
  /** For attribute-change: a numeric prediction of the classifier, such as "smile", or the share of images with one of the values, such as "background=teal|navy". */
  attribute: text.exactOptional(),
  /** Position of the row on the x axis of plots. */
  x: z.number().exactOptional(),
  /** Measures the CLIP distance of x0 to the final image at every step. */
  follow: z.boolean().default(false),
  /** Values in the paper, by measure. */
  paper: z.partialRecord(z.enum(MEASURES), z.number()).default({}),
});

const claimFields = z.strictObject({
  /** The claim as text. */
  says: text,
  measure: z.enum(MEASURES),
  row: text,
  is: z.enum(["more", "less", "as much", "at least as much"]),
  /** Row to compare with; without one the value is compared with 0. */
  than: text.exactOptional(),
});

/** "As much" is within 5 % of another row, which it therefore needs. */
const claim = claimFields.refine(({ is, than }) => than !== undefined || is === "more" || is === "less", {
  path: ["than"],
  error: 'needed for "as much" and "at least as much"',
});

/** A measure that is shown to lie above 0 or not in several rows, in one line: no claim of the paper. */
const effect = z.strictObject({
  says: text,
  measure: z.enum(MEASURES),
  /** Rows by the head of their column. */
  rows: z.record(text, text),
});

const prompt = z.union([text, z.strictObject({ prompt: text, seed: count })]);

export const definitionSchema = z.strictObject({
  name: z.string().regex(/^[\w-]+$/, "expected letters, digits and dashes"),
  title: text,
  /** Finding of the paper, as text. */
  found: z.string().default(""),
  /** Names of the paper's measures that differ from those here. */
  paperMeasures: z.partialRecord(z.enum(MEASURES), text).default({}),
  /** Prompts, with the first seed; default seed: 0. */
  prompts: z.array(prompt).min(1),
  /** Number of consecutive seeds for each prompt, one image each. */
  seeds: z.int().min(1),
  rows: z.array(row).min(1),
  measures: z.array(z.enum(MEASURES)).min(1),
  /** Measure that is also reported by prompt. */
  byPrompt: z.enum(MEASURES).exactOptional(),
  /** Measures between which the rows are compared as points of a front: none may be bought by a loss in another. */
  front: z.array(z.enum(MEASURES)).min(2).exactOptional(),
  /** Label of the x axis. */
  axis: text.exactOptional(),
  claims: z.array(claim).default([]),
  effects: z.array(effect).default([]),
});

export type Definition = z.output<typeof definitionSchema>;
/** Definition before defaults are filled in. */
export type DefinitionInput = z.input<typeof definitionSchema>;
export type ExperimentRow = Definition["rows"][number];
export type Claim = Definition["claims"][number];
export type Effect = Definition["effects"][number];

/** Earlier names of measures and fields, accepted for one release. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ["judge-distance", "classifier-distance"],
  ["named", "accuracy"],
  ["likeness", "clip-score"],
  ["reading", "attribute-change"],
  ["reads", "attribute"],
]);
const NAME_FIELDS = new Set(["measure", "measures", "byPrompt", "front"]);

/** Replaces earlier names in keys and in the fields that name measures. */
function renamed(value: unknown, isName = false): unknown {
  if (typeof value === "string") return isName ? (RENAMED.get(value) ?? value) : value;
  if (Array.isArray(value)) return value.map((v) => renamed(v, isName));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([k, v]) => [RENAMED.get(k) ?? k, renamed(v, NAME_FIELDS.has(k))]),
  );
}

/** Validates a definition, and fills in defaults. @throws RequestError with the invalid field */
export function parseDefinition(file: string, value: unknown): Definition {
  const definition = parseRequest(definitionSchema, renamed(value), file);
  const { rows, claims, effects } = definition;
  const names = rows.map((r) => r.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new RequestError(`${file} has two rows ${JSON.stringify(twice)}`);
  const mentioned = [
    ...rows.flatMap((r) => r.against ?? []),
    ...claims.flatMap((c) => [c.row, c.than ?? c.row]),
    ...effects.flatMap((e) => Object.values(e.rows)),
  ];
  const unknown = mentioned.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new RequestError(`${file} refers to a row ${JSON.stringify(unknown)}; its rows are ${names.join(", ")}`);
  }
  checkChoices(file, definition);
  return definition;
}

/** Most images of a prompt that a choice of seeds keeps: those of one cell. */
const MOST_CHOSEN = 64;

/**
 * Sampling of a row for so many images of a prompt. A choice of seeds keeps the share that it states of as many more: 8/32 in an experiment of
 * 16 seeds keeps 16 of 64.
 */
export function samplingOf({ sampling }: Pick<ExperimentRow, "sampling">, seeds: number): ExperimentRow["sampling"] {
  const { choose } = sampling;
  return choose ? { ...sampling, choose: { keep: seeds, of: (seeds * choose.of) / choose.keep } } : sampling;
}

/** @throws RequestError for a choice of seeds that does not come out even */
function checkChoices(file: string, { rows, seeds, prompts }: Definition): void {
  const texts = new Set(prompts.map((p) => (typeof p === "string" ? p : p.prompt)));
  for (const { name, sampling } of rows) {
    const { choose } = sampling;
    if (!choose) continue;
    if (texts.size < prompts.length)
      throw new RequestError(`${file}: a prompt is listed twice, beside a choice of seeds`);
    if (Number.isInteger((seeds * choose.of) / choose.keep) && seeds > 1 && seeds <= MOST_CHOSEN) continue;
    throw new RequestError(
      `${file}: the row ${JSON.stringify(name)} keeps ${choose.keep} of ${choose.of} seeds, which does not make ${seeds} images of a prompt; expected 2 to ${MOST_CHOSEN} seeds, a multiple of what makes it even`,
    );
  }
}

/** Prompt and seed of an image that an experiment generates for every row. */
export interface PromptSeed {
  readonly prompt: string;
  readonly seed: number;
}

/** Prompt–seed pairs of a definition; [p][i]: prompt p with its i-th seed. */
export const promptSeeds = ({ prompts, seeds }: Pick<Definition, "prompts" | "seeds">): PromptSeed[][] =>
  prompts.map((p) => {
    const { prompt, seed } = typeof p === "string" ? { prompt: p, seed: 0 } : p;
    return Array.from({ length: seeds }, (_, i) => ({ prompt, seed: seed + i }));
  });
