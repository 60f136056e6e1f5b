/** Files of attributes: their values, the text that CLIP is given for each, and the phrase by which prompts name it. */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { readJson } from "../checkpoint/node/index.js";
import { FileError } from "../errors.js";
import type { PromptedAttribute } from "../evaluation/index.js";

const attributeSchema = z.union([
  z.array(z.string()).min(2),
  z.object({
    /** `{}` stands for the value; default "a picture of {}". */
    template: z.string().includes("{}").default("a picture of {}"),
    values: z.array(z.string()).min(2),
    /** Values whose text is not the template's. */
    texts: z.record(z.string(), z.string()).default({}),
    /** Values that prompts name by another phrase, such as "no hat" for none. */
    words: z.record(z.string(), z.string()).default({}),
  }),
]);
const schema = z.record(z.string(), attributeSchema);

const EMBEDDED = new URL("../../assets/attributes/embedded.json", import.meta.url);

/** The attributes of the embedded world. */
export const embeddedAttributes = (): Promise<PromptedAttribute[]> => readAttributes(fileURLToPath(EMBEDDED));

/** Reads {name: [values]} or {name: {template, values, texts, words}}. @throws FileError naming what does not fit */
export async function readAttributes(file: string): Promise<PromptedAttribute[]> {
  const parsed = schema.safeParse(await readJson(file));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new FileError(
      file,
      `${issue?.path.join(".") || "the file"} does not fit: {"hat": ["cap", "crown"]} or {"hat": {"template": "a person wearing a {}", "values": [two or more]}} was expected`,
    );
  }
  if (Object.keys(parsed.data).length === 0) throw new FileError(file, "names no attribute");
  return Object.entries(parsed.data).map(([name, a]) => {
    if (Array.isArray(a)) return { name, values: a, phrases: a, texts: a.map((v) => `a picture of ${v}`) };
    const texts = a.values.map((v) => a.texts[v] ?? a.template.replaceAll("{}", v));
    return { name, values: a.values, phrases: a.values.map((v) => a.words[v] ?? v), texts };
  });
}
