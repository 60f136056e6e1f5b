/** Attributes of a world, as a file tells them, and which of them a prompt leaves open. */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { readJson } from "../checkpoint/index.js";
import { FileError } from "../errors.js";

export interface OpenAttribute {
  readonly name: string;
  readonly values: readonly string[];
  /** What CLIP is asked, one text a value. */
  readonly texts: readonly string[];
}

const attributeSchema = z.union([
  z.array(z.string()).min(2),
  z.object({
    /** `{}` stands for the value; default "a picture of {}". */
    template: z.string().includes("{}").default("a picture of {}"),
    values: z.array(z.string()).min(2),
    /** Values whose text is not the template's. */
    texts: z.record(z.string(), z.string()).default({}),
  }),
]);
const schema = z.record(z.string(), attributeSchema);

const EMBEDDED = new URL("../../assets/attributes/embedded.json", import.meta.url);

/** The attributes of the embedded world. */
export const embeddedAttributes = (): Promise<OpenAttribute[]> => readAttributes(fileURLToPath(EMBEDDED));

/** Reads {name: [values]} or {name: {template, values, texts}}. @throws FileError naming what does not fit */
export async function readAttributes(file: string): Promise<OpenAttribute[]> {
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
    if (Array.isArray(a)) return { name, values: a, texts: a.map((v) => `a picture of ${v}`) };
    return { name, values: a.values, texts: a.values.map((v) => a.texts[v] ?? a.template.replaceAll("{}", v)) };
  });
}

/** Is one of the attribute's values a whole phrase of the prompt? */
export function isNamed({ values }: OpenAttribute, prompt: string): boolean {
  return values.some((v) => new RegExp(`(?<!\\w)${v.replace(/[^\w\s]/g, "\\$&")}(?!\\w)`, "i").test(prompt));
}
