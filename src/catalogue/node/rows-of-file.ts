/** Rows of a pair file: a JSON list in the form of the built-in rows, with defaults filled in. */
import path from "node:path";
import { z } from "zod";
import { readJson } from "../../checkpoint/node/index.js";
import { FileError } from "../../errors.js";
import { expectedBy } from "../../schema/index.js";
import { type Control, type PairRow, pairRowSchema, type Reason } from "../schema.js";

const noTrial = pairRowSchema.transform((row) => ({ ...row, trial: null }));
const reason = z
  .strictObject({
    experiment: z.string().min(1),
    row: z.string().min(1),
    than: z.string().min(1).nullable(),
    measures: z.array(z.string().min(1)).optional(),
    of: z.enum(["world", "model", "claim"]),
    because: z.string().min(1),
  })
  .transform(({ measures, ...rest }): Reason => ({ ...rest, ...(measures && { measures }) }));

const control = z
  .strictObject({
    name: z.string().min(1),
    ref: z.string().min(1),
    scale: z.number(),
    concept: z.string().min(1),
    reads: z.string().min(1).optional(),
  })
  .transform(({ reads, ...rest }): Control => ({ ...rest, ...(reads !== undefined && { reads }) }));

/** A row of a package of pairs, which may have defaults of experiments too. */
const withTrial = pairRowSchema.extend({
  trial: z
    .strictObject({
      prompts: z.string().min(1),
      reference: z.string().min(1),
      controls: z.array(control).default([]),
      controlPrompts: z.array(z.string().min(1)).min(1).optional(),
      reasons: z.array(reason).default([]),
    })
    .nullable()
    .default(null),
});

/**
 * The rows of a pair file. References that begin with "./" or "../" are relative to its folder.
 * @param owner name of the npm package that the file belongs to; null: a user's own file
 * @throws FileError naming the row and the field that is wrong
 */
export async function rowsOfFile(file: string, owner: string | null = null): Promise<readonly PairRow[]> {
  const folder = path.dirname(path.resolve(file));
  const local = (ref: string): string => (/^\.{1,2}(\/|$)/.test(ref) ? path.resolve(folder, ref) : ref);
  const result = z.array(owner === null ? noTrial : withTrial).safeParse(await readJson(file));
  if (!result.success) {
    const issue = result.error.issues[0];
    const where = issue?.path.join(".") || "the whole";
    throw new FileError(file, `is not a list of pairs: ${where}: ${expectedBy(issue)}`);
  }
  const rows = result.data.map(
    (r): PairRow => ({
      ...r,
      base: local(r.base),
      distilled: local(r.distilled),
      clip: r.clip && local(r.clip),
      judge: r.judge && local(r.judge),
      source: r.source === "" ? file : local(r.source),
      package: owner,
      trial: r.trial && {
        prompts: local(r.trial.prompts),
        reference: local(r.trial.reference),
        controls: r.trial.controls.map((c) => ({ ...c, ref: local(c.ref) })),
        ...(r.trial.controlPrompts && { controlPrompts: r.trial.controlPrompts }),
        reasons: r.trial.reasons,
      },
    }),
  );
  const names = rows.map((r) => r.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice) throw new FileError(file, `names the pair ${twice} twice`);
  return rows;
}
