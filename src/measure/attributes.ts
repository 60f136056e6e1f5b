/** Attribute files: the values of each attribute, with a text for CLIP and phrases in prompts for each value, for every prompt or by noun. */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { readJson } from "../checkpoint/node/index.js";
import { FileError } from "../errors.js";
import { type PromptedAttribute, phrasesOf } from "../evaluation/index.js";

const attributeSchema = z.union([
  z.array(z.string()).min(2),
  z.object({
    /** Text that names a value, with `{}` for it; default "a picture of {}". CLIP reads it, and the self-check generates it. */
    template: z.string().includes("{}").default("a picture of {}"),
    values: z.array(z.string()).min(2),
    /** Texts of values that do not follow the template. */
    texts: z.record(z.string(), z.string()).default({}),
    /** Phrases of values that prompts name differently, such as "no hat" for none. */
    words: z.record(z.string(), z.union([z.string(), z.array(z.string()).min(1)])).default({}),
  }),
]);
const attributesSchema = z.record(z.string(), attributeSchema);
/** Attributes by class of subjects: those of a class belong to the prompts whose subject is one of its nouns. */
const ontologySchema = z.record(
  z.string(),
  z.strictObject({ nouns: z.array(z.string()).min(1), attributes: attributesSchema }),
);

const asset = (name: string) => fileURLToPath(new URL(`../../assets/attributes/${name}.json`, import.meta.url));

/** Attributes of the embedded pair's images. */
export const embeddedAttributes = (): Promise<PromptedAttribute[]> => readAttributes(asset("embedded"));

/** Value of `--attributes` that takes the attributes of each prompt's noun from the bundled ontology. */
const AUTO = "auto";

/**
 * Reads attributes: {name: [values]} or {name: {template, values, texts, words}}, for every prompt; or {class: {nouns, attributes}}, for the
 * prompts about a class of nouns, whose names are then "class.name"; "auto": the bundled file of that form.
 * @throws FileError with the invalid part
 */
export async function readAttributes(reference: string): Promise<PromptedAttribute[]> {
  const file = reference === AUTO ? asset("ontology") : reference;
  const content = await readJson(file);
  const ontology = ontologySchema.safeParse(content);
  const found = ontology.success
    ? Object.entries(ontology.data).flatMap(([kind, { nouns, attributes }]) =>
        Object.entries(attributes).map(([name, a]) => ({ ...attributeOf(name, a), name: `${kind}.${name}`, nouns })),
      )
    : Object.entries(flat(file, content)).map(([name, a]) => attributeOf(name, a));
  if (found.length === 0) throw new FileError(file, "has no attribute");
  return found;
}

function flat(file: string, content: unknown): z.output<typeof attributesSchema> {
  const parsed = attributesSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new FileError(
    file,
    `${issue?.path.join(".") || "the file"} is invalid; expected {"hat": ["cap", "crown"]}, {"hat": {"template": "a person wearing a {}", "values": [two or more]}} or {"person": {"nouns": ["man"], "attributes": {…}}}`,
  );
}

function attributeOf(name: string, a: z.output<typeof attributeSchema>): PromptedAttribute {
  if (Array.isArray(a))
    return { name, values: a, phrases: a.map((v) => phrasesOf(name, v)), texts: a.map((v) => `a picture of ${v}`) };
  return {
    name,
    values: a.values,
    phrases: a.values.map((v) => phrasesOf(name, v, a.words[v])),
    texts: a.values.map((v) => a.texts[v] ?? a.template.replaceAll("{}", v)),
  };
}
