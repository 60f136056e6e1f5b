/** Derives the options of a command from the fields of a request, and validates the given options by the fields. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import { RequestError } from "../errors.js";
import {
  expectation,
  type Fields,
  formsOf,
  GROUPS,
  groupOf,
  type OptionForm,
  parseRequest,
  readPlain,
} from "../schema/index.js";
import { Alias, listedAs, longOf } from "./aliases.js";

const inner = (field: z.ZodType): z.ZodType =>
  field instanceof z.ZodExactOptional || field instanceof z.ZodOptional ? (field.unwrap() as z.ZodType) : field;

/** Schema of the value of a flag: the field's, or that of a key of its object. */
const schemaOf = (schema: z.ZodType, { part }: OptionForm): z.ZodType =>
  part !== undefined && schema instanceof z.ZodObject ? ((schema.shape as Fields)[part] ?? schema) : schema;

/** Parses the value of a flag. @throws InvalidArgumentError with the expected form */
function readFlag(schema: z.ZodType, { read, expected, repeatable }: OptionForm, text: string): unknown {
  const refuse = (what: string): never => {
    throw new InvalidArgumentError(`Expected ${what}.`);
  };
  try {
    const value = read ? read(text) : readPlain(schema, text);
    if (value === undefined) return refuse(expected ?? expectation(schema));
    if (repeatable || schema.safeParse(value).success) return value;
    return refuse(expected ?? expectation(schema));
  } catch (error) {
    if (error instanceof RequestError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}

const choicesOf = (schema: z.ZodType): readonly string[] | null =>
  schema instanceof z.ZodEnum ? schema.options.map(String) : null;

function withValue(option: Option, schema: z.ZodType, form: OptionForm): Option {
  const choices = choicesOf(schema);
  if (form.value !== undefined) option.preset(form.value);
  else if (choices && !form.read) option.choices(choices);
  else if (form.flag.includes("<")) {
    option.argParser((text: string, before: unknown) => {
      if (form.renamed) process.stderr.write(`${form.flag.split(" ")[0]} is now ${form.renamed}\n`);
      const value = readFlag(schema, form, text);
      if (!form.repeatable) return value;
      return [...(Array.isArray(before) ? before : []), ...(Array.isArray(value) ? value : [value])];
    });
  }
  return option;
}

function optionFor(field: z.ZodType, form: OptionForm): Option {
  const option = withValue(new Option(form.flag, form.about), schemaOf(inner(field), form), form);
  const group = groupOf(field, form);
  if (group) option.helpGroup(`${GROUPS[group]}:`);
  if (form.env) option.env(form.env);
  return form.renamed || form.part ? option.hideHelp() : option;
}

/** Options for the aliases of a form. The value has the syntax of the form: "--cfg-scale <x>". */
function aliasesFor(field: z.ZodType, form: OptionForm, option: Option): Option[] {
  const [, value = ""] = /( <.*>)$/.exec(form.flag) ?? [];
  return (form.aliases ?? []).map((name) =>
    withValue(new Alias(`${name}${value}`, option), schemaOf(inner(field), form), form),
  );
}

/**
 * The field of a flag or of one of its aliases, and its value; null where no field has the flag.
 * @param given text of the value; true or false for a flag without one
 * @param about beginning of a message
 * @throws RequestError with the expected form
 */
export function flagValue(
  fields: Fields,
  flag: string,
  given: string | boolean,
  about: string,
): { readonly field: string; readonly value: unknown } | null {
  for (const [name, field] of Object.entries(fields)) {
    const form = formsOf(field).find((f) => longOf(f.flag) === flag || f.aliases?.includes(flag));
    if (!form) continue;
    const schema = schemaOf(inner(field), form);
    const plain = !form.flag.includes("<");
    if (plain !== (typeof given === "boolean"))
      throw new RequestError(`${about} is ${given}; expected ${plain ? "true or false" : expectation(schema)}`);
    if (typeof given === "boolean") return { field: name, value: given };
    try {
      return { field: name, value: readFlag(schema, form, given) };
    } catch (error) {
      if (error instanceof InvalidArgumentError) throw new RequestError(`${about} is ${given}. ${error.message}`);
      throw error;
    }
  }
  return null;
}

/** Adds the flags of fields to a command. Flags of one field exclude each other, unless they are repeatable, or parts of one value. */
export function addFields(command: Command, fields: Fields): Command {
  for (const field of Object.values(fields)) {
    const options = formsOf(field).map((form) => ({ form, option: optionFor(field, form) }));
    for (const { form, option } of options) {
      const others = options.filter((o) => o.option !== option && !(form.part && o.form.part));
      const [first] = options;
      if (form.part && first) listedAs.set(option, first.option);
      if (inner(field) === field) option.makeOptionMandatory();
      const excluded = form.repeatable ? [] : others.map((o) => o.option.attributeName());
      command.addOption(option.conflicts([...excluded, ...(form.excludes ?? [])]));
      for (const alias of aliasesFor(field, form, option)) command.addOption(alias);
    }
  }
  return command;
}

/**
 * Validates the fields given on the command line.
 * @param options option values as parsed by commander
 * @throws RequestError
 */
export function fieldsOf<F extends Fields>(fields: F, options: Readonly<Record<string, unknown>>) {
  const given: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const forms = formsOf(field).map((form) => ({ form, value: options[new Option(form.flag).attributeName()] }));
    const parts = forms.filter(({ form }) => form.part);
    const set = forms.filter(({ value }) => value !== undefined);
    if (set.some(({ form }) => form.part)) {
      const missing = parts.filter(({ value }) => value === undefined).map(({ form }) => longOf(form.flag));
      if (missing.length > 0) {
        throw new RequestError(`${longOf(set[0]?.form.flag ?? "")} needs ${missing.join(" and ")} beside it`, {
          field: name,
        });
      }
      given[name] = Object.fromEntries(set.map(({ form, value }) => [form.part, value]));
    } else if (set.length > 0) {
      given[name] = set.every(({ value }) => Array.isArray(value)) ? set.flatMap(({ value }) => value) : set[0]?.value;
    }
  }
  return parseRequest(z.strictObject(fields), given);
}
