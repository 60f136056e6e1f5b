/** Attribute files: the values of each attribute, with a CLIP text and a phrase in prompts for each value. */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { readJson } from "../checkpoint/node/index.js";
import { FileError } from "../errors.js";
import type { PromptedAttribute } from "../evaluation/index.js";

const attributeSchema = z.union([
  z.array(z.string()).min(2),
  z.object({
    /** CLIP text, with `{}` for the value; default "a picture of {}". */
    template: z.string().includes("{}").default("a picture of {}"),
    values: z.array(z.string()).min(2),
    /** CLIP texts of values that do not follow the template. */
    texts: z.record(z.string(), z.string()).default({}),
    /** Phrases of values that prompts name differently, such as "no hat" for none. */
    words: z.record(z.string(), z.string()).default({}),
  }),
]);
const schema = z.record(z.string(), attributeSchema);

const EMBEDDED = new URL("../../assets/attributes/embedded.json", import.meta.url);

/** Attributes of the embedded pair's images. */
export const embeddedAttributes = (): Promise<PromptedAttribute[]> => readAttributes(fileURLToPath(EMBEDDED));

/** Reads {name: [values]} or {name: {template, values, texts, words}}. @throws FileError with the invalid part */
export async function readAttributes(file: string): Promise<PromptedAttribute[]> {
  const parsed = schema.safeParse(await readJson(file));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new FileError(
      file,
      `${issue?.path.join(".") || "the file"} is invalid; expected {"hat": ["cap", "crown"]} or {"hat": {"template": "a person wearing a {}", "values": [two or more]}}`,
    );
  }
  if (Object.keys(parsed.data).length === 0) throw new FileError(file, "has no attribute");
  return Object.entries(parsed.data).map(([name, a]) => {
    if (Array.isArray(a)) return { name, values: a, phrases: a, texts: a.map((v) => `a picture of ${v}`) };
    const texts = a.values.map((v) => a.texts[v] ?? a.template.replaceAll("{}", v));
    return { name, values: a.values, phrases: a.values.map((v) => a.words[v] ?? v), texts };
  });
}
