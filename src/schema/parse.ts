/** Validation of requests. Errors state the field, its value and the expected values. */
import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";
import { RequestError } from "../errors.js";
import { expectedBy } from "./issue.js";

/** Keywords of a JSON schema that describe allowed values. */
const facts = z.looseObject({
  type: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
});

/** Allowed values of a schema for a number, string or choice, in words: "an integer, at least 1". */
export function expectation(schema: z.ZodType): string {
  const {
    type,
    enum: choices,
    minimum = Number.NEGATIVE_INFINITY,
    maximum = Number.POSITIVE_INFINITY,
    exclusiveMinimum,
  } = facts.parse(z.toJSONSchema(schema, { unrepresentable: "any" }));
  if (choices) return `one of ${choices.join(", ")}`;
  const noun = type === "integer" ? "an integer" : type === "number" ? "a number" : "a string";
  const [low, high] = [minimum > Number.MIN_SAFE_INTEGER, maximum < Number.MAX_SAFE_INTEGER];
  if (low && high) return `${noun} from ${minimum} to ${maximum}`;
  if (exclusiveMinimum !== undefined) return `${noun} above ${exclusiveMinimum}${high ? `, at most ${maximum}` : ""}`;
  return low ? `${noun}, at least ${minimum}` : high ? `${noun}, at most ${maximum}` : noun;
}

/** Parses a number, choice or string from the command line; undefined for an empty number. */
export function readPlain(schema: z.ZodType, text: string): unknown {
  const { type } = facts.parse(z.toJSONSchema(schema, { unrepresentable: "any" }));
  if (type !== "integer" && type !== "number") return text;
  return text.trim() === "" ? undefined : Number(text);
}

/** Value at a path in a JSON value; undefined where the path does not exist. */
const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (v, key) => (typeof v === "object" && v !== null ? (v as Readonly<Record<PropertyKey, unknown>>)[key] : undefined),
    value,
  );

/**
 * Validates a value.
 * @param about prefix of the error message, such as a file name
 * @throws RequestError with the path of the field
 */
export function parseRequest<S extends z.ZodType>(schema: S, value: unknown, about = ""): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw issuesError(result.error.issues, value, about, schema);
}

/**
 * Error for the issues of a value that does not fit its schema, with the path of the field.
 * @param schema names the field that was probably meant
 */
export function issuesError(
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
  about = "",
  schema: z.ZodType = z.unknown(),
): RequestError {
  // A misspelt field is the cause of the missing one.
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? deepest(issues[0]);
  const path = issue?.path.join(".") ?? "";
  const field = path || "the request";
  const start = about === "" ? "" : `${about}: `;
  if (issue?.code === "unrecognized_keys") {
    const inside = issue.path.length > 0 ? ` of ${field}` : "";
    return new RequestError(
      `${start}${issue.keys.map((k) => JSON.stringify(k)).join(", ")} is not a field${inside}${listed(issue) || suggestion(schema, issue)}`,
      {
        field: issue.keys[0] ?? field,
      },
    );
  }
  const actual = issue && valueAt(value, issue.path);
  const subject = path === "" && about !== "" ? about : `${start}${field}`;
  return new RequestError(
    `${subject} ${actual === undefined ? "is missing" : `is ${shown(actual)}`}; ${expectedBy(issue)}`,
    { field },
  );
}

/** Most letters of a value in a message. */
const SHOWN = 120;

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/** The fields that a schema names in a message of its own; "" for zod's message. */
const listed = ({ message }: z.core.$ZodIssueUnrecognizedKeys): string =>
  message.startsWith("Unrecognized") ? "" : `; ${message}`;

/** Most wrong letters of a field that is taken for another. */
const MISSPELT = 3;

/** The field that was probably meant, as the end of a sentence; "" if none is near. */
function suggestion(schema: z.ZodType, { path, keys }: z.core.$ZodIssueUnrecognizedKeys): string {
  if (!(schema instanceof z.ZodObject) || path.length > 0 || !keys[0]) return "";
  const near = closest(keys[0], Object.keys(schema.shape));
  return distance(keys[0], near) <= MISSPELT ? `; did you mean ${JSON.stringify(near)}?` : "";
}

/** For a union, the issue of the alternative that matched best: the one whose first issue has the longest path. */
function deepest(issue: z.core.$ZodIssue | undefined): z.core.$ZodIssue | undefined {
  if (issue?.code !== "invalid_union") return issue;
  const inner = issue.errors.flatMap((issues) => deepest(issues[0]) ?? []);
  const best = inner.reduce<z.core.$ZodIssue | undefined>(
    (a, b) => (a === undefined || b.path.length > a.path.length ? b : a),
    undefined,
  );
  return best && best.path.length > 0 ? { ...best, path: [...issue.path, ...best.path] } : issue;
}
