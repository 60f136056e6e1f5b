/** An OpenAPI document as random requests, and as the check of an answer: its status and its schema. */
import fc from "fast-check";
import { z } from "zod";

const schemaRecord = z.record(z.string(), z.unknown());
export type Schema = z.output<typeof schemaRecord>;

const content = z.record(z.string(), z.object({ schema: schemaRecord }));
const operationSchema = z.object({
  parameters: z
    .array(z.object({ in: z.string(), name: z.string(), required: z.boolean().default(false), schema: schemaRecord }))
    .default([]),
  requestBody: z.object({ content }).optional(),
  responses: z.record(z.string(), z.object({ content: content.optional() })),
});
export const documentSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
  components: z.object({ schemas: z.record(z.string(), schemaRecord) }),
});
export type OpenApi = z.output<typeof documentSchema>;
export type Operation = z.output<typeof operationSchema>;

/** A JSON value of any kind. */
export const anyJson: fc.Arbitrary<unknown> = fc.jsonValue({ maxDepth: 2 });

const number = (schema: Schema, name: string, usual: number) =>
  typeof schema[name] === "number" ? schema[name] : usual;
const list = (value: unknown): readonly Schema[] => z.array(schemaRecord).catch([]).parse(value);

/** Values that fit a schema. Patterns, which are few, are matched by fast-check's own generator. */
export function valuesOf(document: OpenApi, schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const inner = (each: Schema) => valuesOf(document, each, depth + 1);
  const { $ref: ref, enum: choices, type } = schema;
  if (typeof ref === "string") return inner(document.components.schemas[ref.replace(/^.*\//, "")] ?? {});
  if ("const" in schema) return fc.constant(schema["const"]);
  if (Array.isArray(choices)) return fc.constantFrom(...choices);
  const union = [...list(schema["anyOf"]), ...list(schema["oneOf"])];
  if (union.length > 0) return fc.oneof(...union.map(inner));
  if (Array.isArray(type)) return fc.oneof(...type.map((one) => inner({ ...schema, type: one })));
  if (type === "null") return fc.constant(null);
  if (type === "boolean") return fc.boolean();
  if (type === "integer" || type === "number") {
    const min = number(schema, "minimum", number(schema, "exclusiveMinimum", 0));
    const max = Math.min(number(schema, "maximum", min + 20), min + 1000);
    return type === "integer" ? fc.integer({ min, max }) : fc.double({ min, max, noNaN: true });
  }
  if (type === "string") {
    if (typeof schema["pattern"] === "string") return fc.stringMatching(new RegExp(schema["pattern"]));
    return fc.string({ minLength: number(schema, "minLength", 0), maxLength: 20 });
  }
  if (type === "array") {
    const maxLength = Math.max(number(schema, "minItems", 0), 2);
    return fc.array(inner(schemaRecord.catch({}).parse(schema["items"])), {
      minLength: number(schema, "minItems", 0),
      maxLength,
    });
  }
  const fields = Object.entries(z.record(z.string(), schemaRecord).catch({}).parse(schema["properties"]));
  if (fields.length === 0) return depth > 3 ? fc.constant({}) : fc.dictionary(fc.string(), anyJson, { maxKeys: 2 });
  const requiredKeys = z.array(z.string()).catch([]).parse(schema["required"]);
  const optional = fields.filter(([name]) => !requiredKeys.includes(name));
  // Few of many optional fields at once: most combinations of all of them make no sense.
  return fc
    .subarray(optional, { maxLength: Math.min(4, optional.length) })
    .chain((some) =>
      fc.record(
        Object.fromEntries(
          fields
            .filter((field) => requiredKeys.includes(field[0]) || some.includes(field))
            .map(([name, each]) => [name, inner(each)]),
        ),
      ),
    );
}

/** Values that may not fit: one field of another kind, missing, or unknown; or any JSON at all. */
export const nearly = (values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof(
    anyJson,
    fc.tuple(values, fc.nat(), anyJson, fc.constantFrom("replace", "drop", "add")).map(([value, at, other, how]) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return other;
      const entries = Object.entries(value);
      const name = entries[at % Math.max(1, entries.length)]?.[0];
      if (how === "add" || name === undefined) return { ...value, unknownField: other };
      return Object.fromEntries(
        entries.flatMap(([key, each]): [string, unknown][] =>
          key !== name ? [[key, each]] : how === "drop" ? [] : [[key, other]],
        ),
      );
    }),
  );

/** What is wrong with an answer; null when its status is documented and its body fits the schema. */
export function problemOf(
  document: OpenApi,
  { responses }: Operation,
  { status, type, body }: { readonly status: number; readonly type: string; readonly body: unknown },
): string | null {
  const response = responses[String(status)];
  if (!response) return `status ${status} is not documented: ${JSON.stringify(body).slice(0, 300)}`;
  const [expected, media] = Object.entries(response.content ?? {})[0] ?? [];
  if (expected === undefined || !media) return null;
  if (!type.startsWith(expected)) return `status ${status} has the type ${type}; expected ${expected}`;
  if (expected !== "application/json") return null;
  const read = checkOf(document, media.schema).safeParse(body);
  return read.success ? null : `the body of ${status} does not fit: ${read.error.message}`;
}

function checkOf(document: OpenApi, schema: Schema): z.ZodType {
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas });
  return z.fromJSONSchema(JSON.parse(text.replaceAll("#/components/schemas/", "#/$defs/")));
}
