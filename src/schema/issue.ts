/** Words for a value that does not fit its schema: what was expected there. */
import type { z } from "zod";

const NOUNS: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  int: "an integer",
  null: "null",
  number: "a number",
  object: "an object",
  record: "an object",
  string: "a string",
  tuple: "a list",
};

/** What a bound of a value counts, by the value's kind. */
const COUNTED: Readonly<Record<string, string>> = { array: " items", set: " items", string: " characters" };

/** "more than 0", "at least 2 items". */
function bound(origin: string, least: boolean, value: number | bigint, inclusive = true): string {
  const words = inclusive ? (least ? "at least" : "at most") : least ? "more than" : "less than";
  const counted = Number(value) === 1 ? COUNTED[origin]?.replace(/s$/, "") : COUNTED[origin];
  return `${words} ${value}${counted ?? ""}`;
}

const OTHER = "expected another value";
const oneOf = (values: readonly unknown[]): string =>
  `expected ${values.length > 1 ? "one of " : ""}${values.map(String).join(", ")}`;

/** Beginnings of the messages that zod writes where a schema has none of its own. */
const ZODS = /^(Invalid|Too )/;

/** What was expected, in words: "expected a list", "expected one of base, hybrid". A message of the schema's own is kept. */
export function expectedBy(issue: z.core.$ZodIssue | undefined): string {
  if (!issue) return OTHER;
  if (!ZODS.test(issue.message)) return issue.message;
  switch (issue.code) {
    case "invalid_type":
      return `expected ${NOUNS[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return oneOf(issue.values);
    case "too_small":
      return `expected ${bound(issue.origin, true, issue.minimum, issue.inclusive)}`;
    case "too_big":
      return `expected ${bound(issue.origin, false, issue.maximum, issue.inclusive)}`;
    case "not_multiple_of":
      return `expected a multiple of ${issue.divisor}`;
    case "invalid_union":
      // A union whose alternatives are told by one field has the values of that field.
      return "options" in issue && issue.options ? oneOf(issue.options) : expectedOfAny(issue.errors);
    default:
      return OTHER;
  }
}

/** The alternatives of a union, each by its first issue: "expected a string, or a list". */
function expectedOfAny(alternatives: readonly (readonly z.core.$ZodIssue[])[]): string {
  const all = alternatives.flatMap(([first]) => (first ? [expectedBy(first)] : []));
  const different = [...new Set(all)].map((words, i) => (i === 0 ? words : words.replace(/^expected /, "")));
  return different.join(", or ") || OTHER;
}
