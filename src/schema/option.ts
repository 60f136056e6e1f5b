/** Fields of a request and their command-line flags. Fields are zod schemas; their flags are kept in a zod registry. */
import { z } from "zod";
import type { Group } from "./groups.js";

/** A command-line flag that sets a field. */
export interface OptionForm {
  /** Syntax for commander: "--steps <n>". A flag without a value sets true. */
  readonly flag: string;
  /** Other names for the flag, as in other tools: "--cfg-scale". They work, and help lists them in one line. */
  readonly aliases?: readonly string[];
  /** Heading in help. Default: that of the table of fields, see `grouped`. */
  readonly group?: Group;
  /** Key of the field's object that this flag sets. Such flags are given together, and are listed like aliases. */
  readonly part?: string;
  /** One line of help, with the default if there is one. */
  readonly about: string;
  /** Parses a value other than a single number, choice or string; undefined for invalid text. Default: `readPlain`. */
  readonly read?: (text: string) => unknown;
  /** Expected form of the value, for error messages: 'a size such as "832x640"'. */
  readonly expected?: string;
  /** May be given several times: the field is a list, and each use sets one item. */
  readonly repeatable?: true;
  /** Fields whose flags are refused beside this one. */
  readonly excludes?: readonly string[];
  /** Environment variable that supplies a default. */
  readonly env?: string;
  /** Value that a flag without an argument sets. Default: true. */
  readonly value?: string;
  /** Name of the new flag, for a deprecated one: it still works, prints a warning, and is hidden from help. */
  readonly renamed?: string;
}

const forms = z.registry<{ readonly forms: readonly OptionForm[] }>();
const groups = new WeakMap<z.ZodType, Group>();

/** An optional field, with the flags that set it. Several flags may set one field. */
export function option<T extends z.ZodType>(schema: T, ...own: readonly OptionForm[]): z.ZodExactOptional<T> {
  const field = schema.exactOptional();
  forms.add(field, { forms: own });
  return field;
}

/** A required field, with the flags that set it. */
export function required<T extends z.ZodType>(schema: T, ...own: readonly OptionForm[]): T {
  // A copy, because the schema may be shared with other fields.
  const field = schema.clone();
  forms.add(field, { forms: own });
  return field;
}

/** Flags that set a field; empty for a field that only JSON requests have. */
export const formsOf = (field: z.ZodType): readonly OptionForm[] => forms.get(field)?.forms ?? [];

/** The fields of an object schema. */
export type Fields = Readonly<Record<string, z.ZodType>>;

/** Sets the heading in help of all fields of a table that have none yet. */
export function grouped<F extends Fields>(group: Group, fields: F): F {
  for (const field of Object.values(fields)) if (!groups.has(field)) groups.set(field, group);
  return fields;
}

/** Heading of a flag in help; undefined without one. */
export const groupOf = (field: z.ZodType, form: OptionForm): Group | undefined => form.group ?? groups.get(field);

/** Deeply read-only plain data. */
export type ReadonlyData<T> = T extends readonly (infer U)[]
  ? readonly ReadonlyData<U>[]
  : T extends object
    ? { readonly [K in keyof T]: ReadonlyData<T[K]> }
    : T;

/** Input of a request with these fields, before defaults are applied. */
export type InputOf<F extends Fields> = ReadonlyData<z.input<z.ZodObject<F>>>;
