/** A field of a request, and how the command line writes it. Fields are zod schemas; the flags stand beside them in a registry. */
import { z } from "zod";

/** One flag of the command line that sets a field. */
export interface OptionForm {
  /** As commander takes it: "--steps <n>"; a flag without a value sets true. */
  readonly flag: string;
  /** One line of help, with the default where there is one. */
  readonly about: string;
  /** Reads a value that is not one number, choice or text. Gives undefined where it is not understood. */
  readonly read?: (text: string) => unknown;
  /** The form that `read` takes, for messages: 'a size such as "832x640"'. */
  readonly expected?: string;
  /** May be given several times: the field is a list, and the form reads one item. */
  readonly repeatable?: true;
  /** Environment variable that stands in for it. */
  readonly env?: string;
  /** The flag that took its place. It works on, hidden from the help, and says so. */
  readonly renamed?: string;
}

const forms = z.registry<{ readonly forms: readonly OptionForm[] }>();

/** A field that may be left out, with the flags that set it; several flags may set one field. */
export function option<T extends z.ZodType>(schema: T, ...own: readonly OptionForm[]): z.ZodExactOptional<T> {
  const field = schema.exactOptional();
  forms.add(field, { forms: own });
  return field;
}

/** A field that must be given. */
export function required<T extends z.ZodType>(schema: T, ...own: readonly OptionForm[]): T {
  // A copy: the flags are this field's, whatever else the schema serves.
  const field = schema.clone();
  forms.add(field, { forms: own });
  return field;
}

/** The flags that set a field; none for a field that only JSON has. */
export const formsOf = (field: z.ZodType): readonly OptionForm[] => forms.get(field)?.forms ?? [];

/** The fields of an object schema. */
export type Fields = Readonly<Record<string, z.ZodType>>;

/** Plain data that is not written to. */
export type ReadonlyData<T> = T extends readonly (infer U)[]
  ? readonly ReadonlyData<U>[]
  : T extends object
    ? { readonly [K in keyof T]: ReadonlyData<T[K]> }
    : T;

/** A request as its fields take it, before defaults. */
export type InputOf<F extends Fields> = ReadonlyData<z.input<z.ZodObject<F>>>;
