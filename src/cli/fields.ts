/** Derives the options of a command from the fields of a request, and validates the given options by the fields. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import { RequestError } from "../errors.js";
import { expectation, type Fields, formsOf, type OptionForm, parseRequest, readPlain } from "../schema/index.js";

const inner = (field: z.ZodType): z.ZodType =>
  field instanceof z.ZodExactOptional || field instanceof z.ZodOptional ? (field.unwrap() as z.ZodType) : field;

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

function optionFor(schema: z.ZodType, form: OptionForm): Option {
  const option = new Option(form.flag, form.about);
  const choices = choicesOf(schema);
  if (choices && !form.read) option.choices(choices);
  else if (form.flag.includes("<")) {
    option.argParser((text: string, before: unknown) => {
      if (form.renamed) process.stderr.write(`${form.flag.split(" ")[0]} is now ${form.renamed}\n`);
      const value = readFlag(schema, form, text);
      if (!form.repeatable) return value;
      return [...(Array.isArray(before) ? before : []), ...(Array.isArray(value) ? value : [value])];
    });
  }
  if (form.env) option.env(form.env);
  return form.renamed ? option.hideHelp() : option;
}

/** Adds the flags of fields to a command. Flags of one field exclude each other, unless they are repeatable. */
export function addFields(command: Command, fields: Fields): Command {
  for (const field of Object.values(fields)) {
    const schema = inner(field);
    const forms = formsOf(field);
    const options = forms.map((form) => optionFor(schema, form));
    for (const [i, option] of options.entries()) {
      const others = options.filter((o) => o !== option).map((o) => o.attributeName());
      if (schema === field) option.makeOptionMandatory();
      command.addOption(forms[i]?.repeatable ? option : option.conflicts(others));
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
    const values = formsOf(field).flatMap((form) => {
      const value = options[new Option(form.flag).attributeName()];
      return value === undefined ? [] : [value];
    });
    if (values.length > 0) given[name] = values.every(Array.isArray) ? values.flat() : values[0];
  }
  return parseRequest(z.strictObject(fields), given);
}
