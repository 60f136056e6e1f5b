/** Pair files: a JSON list of rows in the form of the built-in ones, with defaults filled in. */
import path from "node:path";
import { z } from "zod";
import { readJson } from "../checkpoint/node/index.js";
import { FileError } from "../errors.js";
import { PAIRS } from "./rows.js";
import { type PairRow, pairRowSchema } from "./schema.js";

const fileSchema = z.array(pairRowSchema);

/** The reference, relative to the file's folder where it begins with a dot. */
const from = (folder: string, ref: string): string => (/^\.{1,2}(\/|$)/.test(ref) ? path.resolve(folder, ref) : ref);

/**
 * The built-in rows and those of `file`. A row with the name of a built-in one replaces it. References that begin with "./" or "../"
 * are relative to the file's folder.
 * @throws FileError naming the row and the field that is wrong
 */
export async function readPairs(file: string | undefined): Promise<readonly PairRow[]> {
  if (!file) return PAIRS;
  const folder = path.dirname(path.resolve(file));
  const result = fileSchema.safeParse(await readJson(file));
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
