/** Reads the prompts of the official slider trainer from its YAML, with the defaults that it gives to keys that are left out. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { codeOf, FileError, reasonOf } from "../../errors.js";
import { parseRequest } from "../../schema/index.js";
import type { SliderRow } from "../slider-rows.js";

const prompt = z.string().nullable();
const rowSchema = z.strictObject({
  target: z.string(),
  positive: prompt.optional(),
  unconditional: prompt.optional(),
  neutral: prompt.optional(),
  action: z.enum(["enhance", "erase"]).default("erase"),
  guidance_scale: z.number().default(1),
  resolution: z.int().min(8).default(512),
  dynamic_resolution: z.boolean().default(false),
  batch_size: z.int().min(1).default(1),
  dynamic_crops: z.boolean().default(false),
});
const fileSchema = z
  .array(rowSchema)
  .min(1, "expected a list of rows with target, positive, unconditional and neutral");

/**
 * Rows of a prompts file.
 * @param onUnsupported called with the keys that have no effect here
 * @throws FileError for a file that is no YAML; RequestError naming the row and the key that is unknown or has a wrong value
 */
export function readSliderPrompts(file: string, onUnsupported: (key: string) => void = () => {}): SliderRow[] {
  const rows = parseRequest(fileSchema, parsed(file), file);
  for (const key of ["dynamic_resolution", "dynamic_crops"] as const)
    if (rows.some((row) => row[key])) onUnsupported(key);
  return rows.map(({ target, positive, unconditional, neutral, ...row }) => ({
    target,
    positive: positive ?? target,
    negative: unconditional ?? "",
    neutral: neutral ?? unconditional ?? "",
    action: row.action,
    strength: row.guidance_scale,
    batch: row.batch_size,
    resolution: row.resolution,
  }));
}

function parsed(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new FileError(file, codeOf(error) === "ENOENT" ? "there is no such file" : reasonOf(error), { cause: error });
  }
  try {
    return parse(text);
  } catch (error) {
    throw new FileError(file, `is no YAML (${reasonOf(error)})`, { cause: error });
  }
}
