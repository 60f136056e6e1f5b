/** Validation of component configs with zod. Unsupported values are rejected by key before anything is built. */
import { z } from "zod";
import { FileError, UnsupportedConfigError } from "../errors.js";

/** A component's config as parsed JSON, and the file it comes from. */
export interface ConfigFile {
  readonly file: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * Validates a config.
 * @throws UnsupportedConfigError with the key, its value and the supported values; FileError when a required key is missing
 */
export function parseConfig<S extends z.ZodObject>(schema: S, { file, config }: ConfigFile): z.output<S> {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const key = String(issue?.path[0] ?? "config");
  if (!(key in config)) throw new FileError(file, `${key} is missing; the network cannot be built without it`);
  throw new UnsupportedConfigError({ file, key, actual: config[key], supported: issue?.message ?? "another value" });
}

/** A key that must be null, false or absent. */
export const absent = z.union([z.null(), z.literal(false)], { error: "null" }).nullish();

/** A key with one of `values`, which the error lists; `fallback` where it is absent. */
export function oneOf<const T extends readonly (string | number | boolean | null)[]>(values: T, fallback: T[number]) {
  return z.literal(values, { error: values.map((v) => JSON.stringify(v)).join(", ") }).default(fallback as never);
}

/** An integer of at least `least`. */
export const integer = (least = 1) => z.int({ error: `an integer, at least ${least}` }).min(least);
