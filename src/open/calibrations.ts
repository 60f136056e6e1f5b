/** Calibrated settings of pairs in a file of the user: which pair they belong to, and whether its models are still the same. */
import { existsSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { readJson } from "../checkpoint/node/index.js";
import { FileError } from "../errors.js";
import { configFolder, formatJson, hashBlocks, makeFolder, writeWhole } from "../files/index.js";
import type { Calibrated, PlanSource } from "../generate/index.js";
import { resolveReference } from "../lookup/index.js";
import { settledFields } from "../sampling/index.js";
import { expectedBy, type ReadonlyData } from "../schema/index.js";

const estimate = z.object({ mean: z.number(), low: z.number().nullable(), high: z.number().nullable(), n: z.number() });

const entrySchema = z.object({
  base: z.string(),
  distilled: z.string(),
  /** Hash of the models' files; null where they were not on this machine. */
  files: z.string().nullable(),
  sampling: z.strictObject(settledFields),
  on: z.string(),
  about: z.string(),
  /** Shares of the distilled model's diversity and CLIP score; null where no hybrid helps. */
  diversity: estimate.nullable(),
  adherence: estimate.nullable(),
  prompts: z.number(),
  seeds: z.number(),
});
const fileSchema = z.object({ pairs: z.array(entrySchema) });
export type CalibrationEntry = ReadonlyData<z.input<typeof entrySchema>>;

/** Path of the user's file. */
export const calibrationFile = (env: NodeJS.ProcessEnv = process.env): string =>
  env["VARIEGATE_CALIBRATIONS"] || path.join(configFolder(env), "calibrations.json");

/** A reference that names the same model from every folder. */
export const nameOf = (ref: string): string => (existsSync(ref) ? path.resolve(ref) : ref);

type Models = Pick<PlanSource, "base" | "distilled">;
const isOf = (entry: Pick<CalibrationEntry, "base" | "distilled">, { base, distilled }: Models): boolean =>
  entry.base === nameOf(base.ref) && entry.distilled === nameOf(distilled?.ref ?? "");

/** @throws FileError for a damaged file, or what is none */
async function readEntries(file: string): Promise<readonly CalibrationEntry[]> {
  const json = await readJson(file, { optional: true });
  if (json === undefined) return [];
  const read = fileSchema.safeParse(json);
  if (read.success) return read.data.pairs;
  const issue = read.error.issues[0];
  const place = issue && issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  throw new FileError(file, `is no file of calibrations: ${place}${expectedBy(issue)}; delete it, or calibrate again`);
}

/** Calibrated setting of a pair; null where there is none, or its models have changed since. */
export async function calibratedOf(models: Models, file = calibrationFile()): Promise<Calibrated | null> {
  if (!models.distilled) return null;
  const entry = (await readEntries(file)).find((e) => isOf(e, models));
  if (!entry) return null;
  if (entry.files !== null && entry.files !== (await filesHash(models))) return null;
  const { sampling, on, about } = entry;
  return { sampling, on, about };
}

/** Stores a calibration in place of an earlier one of the same models. */
export async function keepCalibration(
  models: Models,
  found: Omit<CalibrationEntry, "base" | "distilled" | "files">,
  file = calibrationFile(),
): Promise<void> {
  const others = (await readEntries(file)).filter((e) => !isOf(e, models));
  const own = { base: nameOf(models.base.ref), distilled: nameOf(models.distilled?.ref ?? "") };
  await write(file, [...others, { ...own, files: await filesHash(models), ...found }]);
}

/** Removes the calibration of a pair; false where there was none. */
export async function forgetCalibration(models: Models, file = calibrationFile()): Promise<boolean> {
  const all = await readEntries(file);
  const others = all.filter((e) => !isOf(e, models));
  if (others.length === all.length) return false;
  await write(file, others);
  return true;
}

async function write(file: string, pairs: readonly CalibrationEntry[]): Promise<void> {
  await makeFolder(path.dirname(file));
  await writeWhole(file, Buffer.from(formatJson({ pairs })));
}

const WEIGHTS = /\.(safetensors|bin|pt|pth|ckpt|gguf)$/i;

/** Hash of the denoisers' weight files, by blocks; null where one is not on this machine under its reference. */
export async function filesHash({ base, distilled }: Models): Promise<string | null> {
  const files: string[] = [];
  for (const model of [base, distilled]) {
    const place = model?.path ?? resolveReference(model?.ref ?? "");
    const own = await weightsIn(place);
    if (own.length === 0) return null;
    files.push(...own);
  }
  return hashBlocks(files);
}

async function weightsIn(place: string): Promise<string[]> {
  if (!existsSync(place)) return [];
  if (!statSync(place).isDirectory()) return [place];
  for (const folder of [path.join(place, "unet"), place]) {
    if (!existsSync(folder)) continue;
    const own = (await readdir(folder)).filter((name) => WEIGHTS.test(name)).sort();
    if (own.length > 0) return own.map((name) => path.join(folder, name));
  }
  return [];
}
