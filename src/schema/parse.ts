/** Foreign data → a request, or an error that names the field, what it is and what was expected. */
import { z } from "zod";
import { RequestError } from "../errors.js";

/** Parts of a JSON schema that say in words which values are allowed. */
const facts = z.looseObject({
  type: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
});

/** The values that a schema of a number or of choices allows, in words: "a whole number, at least 1". */
export function expectation(schema: z.ZodType): string {
  const {
    type,
    enum: choices,
    minimum = Number.NEGATIVE_INFINITY,
    maximum = Number.POSITIVE_INFINITY,
  } = facts.parse(z.toJSONSchema(schema, { unrepresentable: "any" }));
  if (choices) return `one of ${choices.join(", ")}`;
  const noun = type === "integer" ? "a whole number" : type === "number" ? "a number" : "a text";
  const [low, high] = [minimum > Number.MIN_SAFE_INTEGER, maximum < Number.MAX_SAFE_INTEGER];
  if (low && high) return `${noun} from ${minimum} to ${maximum}`;
  return low ? `${noun}, at least ${minimum}` : high ? `${noun}, at most ${maximum}` : noun;
}

/** A number, choice or text as the command line writes it; undefined where it is not of the schema's kind. */
export function readPlain(schema: z.ZodType, text: string): unknown {
  const { type } = facts.parse(z.toJSONSchema(schema, { unrepresentable: "any" }));
  if (type !== "integer" && type !== "number") return text;
  return text.trim() === "" ? undefined : Number(text);
}

/** The value at a path of a JSON value. */
const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (v, key) => (typeof v === "object" && v !== null ? (v as Readonly<Record<PropertyKey, unknown>>)[key] : undefined),
    value,
  );

/**
 * Checks a value by a schema.
 * @param about the beginning of the message, such as a file's name
 * @throws RequestError with the field's path
 */
export function parseRequest<S extends z.ZodType>(schema: S, value: unknown, about = ""): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = deepest(result.error.issues[0]);
  const field = issue?.path.join(".") || "the request";
  const start = about === "" ? "" : `${about}: `;
  if (issue?.code === "unrecognized_keys") {
    const inside = issue.path.length > 0 ? ` of ${field}` : "";
    throw new RequestError(`${start}${issue.keys.map((k) => JSON.stringify(k)).join(", ")} is no field${inside}`, {
      field: issue.keys[0] ?? field,
    });
  }
  const actual = issue && valueAt(value, issue.path);
  const shown = actual === undefined ? "is missing" : `is ${JSON.stringify(actual)}`;
  throw new RequestError(`${start}${field} ${shown}; ${issue?.message ?? "another value was expected"}`, { field });
}

/** Of a union the alternative that came closest: the one whose first fault lies deepest. */
function deepest(issue: z.core.$ZodIssue | undefined): z.core.$ZodIssue | undefined {
  if (issue?.code !== "invalid_union") return issue;
  const inner = issue.errors.flatMap((issues) => deepest(issues[0]) ?? []);
  const best = inner.reduce<z.core.$ZodIssue | undefined>(
    (a, b) => (a === undefined || b.path.length > a.path.length ? b : a),
    undefined,
  );
  return best && best.path.length > 0 ? { ...best, path: [...issue.path, ...best.path] } : issue;
}
