/** How a component's config is read: zod at the door, and refusal by name of what is not supported. */
import { z } from "zod";
import { FileError, UnsupportedConfigError } from "../errors.js";

/** A component's config as it stands in its file. */
export interface ConfigFile {
  readonly file: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** Reads a config by `schema`. @throws UnsupportedConfigError naming the key, what it is, and what would do */
export function parseConfig<S extends z.ZodObject>(schema: S, { file, config }: ConfigFile): z.output<S> {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const key = String(issue?.path[0] ?? "config");
  if (!(key in config)) throw new FileError(file, `${key} is missing; the network cannot be drawn without it`);
  throw new UnsupportedConfigError({ file, key, actual: config[key], supported: issue?.message ?? "another value" });
}

/** A key that must be null, false or absent, whatever the falsy form. */
export const absent = z.union([z.null(), z.literal(false)], { error: "null" }).nullish();

/** A key that must have one of these values; `supported` is what the refusal says. */
export function oneOf<const T extends readonly (string | number | boolean | null)[]>(values: T, fallback: T[number]) {
  return z.literal(values, { error: values.map((v) => JSON.stringify(v)).join(", ") }).default(fallback as never);
}

/** A whole number of at least `least`. */
export const whole = (least = 1) => z.int({ error: `a whole number, at least ${least}` }).min(least);
