/** Rows of a user's own: a JSON file in the form of the built-in rows, with what is left out filled in. */
import path from "node:path";
import { z } from "zod";
import { readJson } from "../checkpoint/index.js";
import { FileError } from "../errors.js";
import { FAMILY_NAMES } from "../families/index.js";
import { PAIRS, type PairRow } from "./rows.js";

const sampling = (guidance: number) =>
  z.strictObject({
    scheduler: z.string().exactOptional(),
    spacing: z.enum(["leading", "trailing", "linspace"]).exactOptional(),
    prediction: z.enum(["epsilon", "v_prediction", "sample"]).exactOptional(),
    steps: z.int().min(1).exactOptional(),
    timesteps: z.array(z.int().min(0).max(999)).min(1).exactOptional(),
    eta: z.number().min(0).max(1).exactOptional(),
    guidance: z.number().min(0).default(guidance),
  });

const pixels = z.int().min(8).max(16384);
const row = z.strictObject({
  name: z.string().regex(/^[\w.-]+$/, "expected letters, digits, dots and dashes"),
  about: z.string().default(""),
  family: z
    .enum(["sd", ...FAMILY_NAMES])
    .transform((name) => (name === "sd" ? "sd1" : name))
    .default("sdxl"),
  base: z.string().min(1),
  distilled: z.string().min(1),
  clip: z.string().nullable().default(null),
  judge: z.string().nullable().default(null),
  scheduler: z.record(z.string(), z.unknown()).nullable().default(null),
  guidanceFeatures: z.int().positive().nullable().default(null),
  parameters: z.number().positive().nullable().default(null),
  sampling: z
    .strictObject({
      base: sampling(5).default({ guidance: 5 }),
      distilled: sampling(0).default({ guidance: 0 }),
    })
    .default({ base: { guidance: 5 }, distilled: { guidance: 0 } }),
  size: z.strictObject({ width: pixels, height: pixels }).nullable().default(null),
  licence: z.string().default("not stated"),
  source: z.string().default(""),
  prompts: z.array(z.string()).default([]),
});
const rows = z.array(row);

/** The reference as seen from the file's folder, when it says so itself. */
const from = (folder: string, ref: string): string => (/^\.{1,2}(\/|$)/.test(ref) ? path.resolve(folder, ref) : ref);

/**
 * The built-in rows and those of `file`: a JSON list of rows. A row of the same name takes the place of the built-in one.
 * References that begin with "./" or "../" are meant from the file's folder.
 * @throws FileError naming the row and field that is wrong
 */
export async function readPairs(file: string | undefined): Promise<readonly PairRow[]> {
  if (!file) return PAIRS;
  const folder = path.dirname(path.resolve(file));
  const result = rows.safeParse(await readJson(file));
  if (!result.success) {
    const issue = result.error.issues[0];
    const where = issue?.path.join(".") || "the whole";
    throw new FileError(file, `is not a list of pairs: ${where}: ${issue?.message ?? "not understood"}`);
  }
  const own = result.data.map(
    (r): PairRow => ({
      ...r,
      base: from(folder, r.base),
      distilled: from(folder, r.distilled),
      clip: r.clip && from(folder, r.clip),
      judge: r.judge && from(folder, r.judge),
      source: r.source || file,
      trial: null,
    }),
  );
  const names = own.map((r) => r.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice) throw new FileError(file, `names the pair ${twice} twice`);
  return [...PAIRS.filter((p) => !names.includes(p.name)), ...own];
}
