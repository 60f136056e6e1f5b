/** Reads the prompt of a PNG from the text chunks of Variegate, Automatic1111 and ComfyUI. */
import { z } from "zod";
import { parseJson } from "./json.js";

/** Prompt of an image, and the tool that wrote it. */
export interface Label {
  readonly prompt: string;
  readonly by: "variegate" | "automatic1111" | "comfyui";
  /** Named pair that made the image, of Variegate's images: null for models without a name, undefined where the file does not say. */
  readonly pair?: string | null;
}

const ownSchema = z.object({ prompt: z.string(), pair: z.string().nullish() });

/** Reads a prompt from text chunks; null without a known chunk. */
export function labelOf(chunks: ReadonlyMap<string, string>): Label | null {
  const ours = ownSchema.safeParse(parseJson(chunks.get("variegate") ?? ""));
  if (ours.success) {
    const { prompt, pair } = ours.data;
    return { prompt, by: "variegate", ...(pair !== undefined && { pair }) };
  }
  const parameters = chunks.get("parameters");
  if (parameters !== undefined) return { prompt: automaticPrompt(parameters), by: "automatic1111" };
  const prompt = comfyPrompt(parseJson(chunks.get("prompt") ?? ""));
  return prompt === null ? null : { prompt, by: "comfyui" };
}

/** Prompt of Automatic1111: the lines before the negative prompt or the settings. */
function automaticPrompt(parameters: string): string {
  const lines = parameters.split("\n");
  const end = lines.findIndex((line) => /^Negative prompt:|^Steps: \d+/.test(line));
  return (end < 0 ? lines : lines.slice(0, end)).join("\n").trim();
}

const nodeSchema = z.object({ class_type: z.string(), inputs: z.record(z.string(), z.unknown()) });
const linkSchema = z.tuple([z.union([z.string(), z.number()]), z.number()]);
type Nodes = Readonly<Record<string, z.output<typeof nodeSchema>>>;

/** Prompt of ComfyUI: the text behind the sampler's positive input; without a sampler, the first text. */
function comfyPrompt(graph: unknown): string | null {
  const nodes = z.record(z.string(), nodeSchema).safeParse(graph);
  if (!nodes.success) return null;
  const all = Object.values(nodes.data);
  const sampler = all.find((n) => "positive" in n.inputs && "negative" in n.inputs);
  const found = sampler ? textBehind(nodes.data, sampler.inputs["positive"], 0) : null;
  if (found !== null) return found;
  for (const node of all) {
    if (!/TextEncode/.test(node.class_type)) continue;
    const text = textIn(nodes.data, node, 0);
    if (text !== null) return text;
  }
  return null;
}

/** Maximum depth of links, which may be circular in an invalid file. */
const DEEPEST = 64;
const TEXTS = ["text", "text_g", "text_l", "prompt", "string", "value"];

function textBehind(nodes: Nodes, link: unknown, depth: number): string | null {
  if (typeof link === "string") return link;
  const parsedLink = linkSchema.safeParse(link);
  const node = parsedLink.success ? nodes[String(parsedLink.data[0])] : undefined;
  return node && depth < DEEPEST ? textIn(nodes, node, depth) : null;
}

function textIn(nodes: Nodes, node: z.output<typeof nodeSchema>, depth: number): string | null {
  for (const name of [...TEXTS, "positive", "conditioning", "conditioning_1", "guider"]) {
    const value = node.inputs[name];
    const text = value === undefined ? null : textBehind(nodes, value, depth + 1);
    if (text !== null && text.trim() !== "") return text;
  }
  return null;
}
