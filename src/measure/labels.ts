/** What a PNG says of its own making: the prompt in the text chunks that Variegate, Automatic1111 and ComfyUI write. */
import { inflateSync } from "node:zlib";
import { z } from "zod";

/** No text chunk that tells a prompt is longer; ComfyUI's whole graph has a few hundred kilobytes. */
const MOST = 8_000_000;
const SIGNATURE = "\x89PNG\r\n\x1a\n";

/** Text chunks of a PNG by their keys (PNG specification, 11.3.3); none where it is another file. Broken chunks end the reading. */
export function textChunks(bytes: Uint8Array): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (Buffer.from(bytes.subarray(0, 8)).toString("latin1") !== SIGNATURE) return found;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = Buffer.from(bytes.subarray(at + 4, at + 8)).toString("latin1");
    if (at + 12 + length > bytes.length) break;
    const body = Buffer.from(bytes.subarray(at + 8, at + 8 + length));
    const entry = length <= MOST ? textOf(kind, body) : null;
    if (entry) found.set(entry[0], entry[1]);
    at += 12 + length;
  }
  return found;
}

function textOf(kind: string, body: Buffer): [string, string] | null {
  const end = body.indexOf(0);
  if (end < 0) return null;
  const key = body.toString("latin1", 0, end);
  if (kind === "tEXt") return [key, body.toString("latin1", end + 1)];
  if (kind === "zTXt") return entry(key, inflated(body.subarray(end + 2)), "latin1");
  if (kind !== "iTXt") return null;
  const language = body.indexOf(0, end + 3);
  const translated = language < 0 ? -1 : body.indexOf(0, language + 1);
  if (translated < 0) return null;
  const text = body.subarray(translated + 1);
  return entry(key, body[end + 1] === 1 ? inflated(text) : text, "utf8");
}

const entry = (key: string, text: Buffer | null, encoding: BufferEncoding): [string, string] | null =>
  text && [key, text.toString(encoding)];

function inflated(bytes: Buffer): Buffer | null {
  try {
    return inflateSync(bytes, { maxOutputLength: MOST });
  } catch {
    return null;
  }
}

/** The prompt that a picture was made from, and whether it is of the embedded world; null where nothing tells. */
export interface Label {
  readonly prompt: string;
  readonly by: "variegate" | "automatic1111" | "comfyui";
}

/** Reads a prompt from text chunks. */
export function labelOf(chunks: ReadonlyMap<string, string>): Label | null {
  const ours = z.object({ prompt: z.string() }).safeParse(parsed(chunks.get("variegate")));
  if (ours.success) return { prompt: ours.data.prompt, by: "variegate" };
  const parameters = chunks.get("parameters");
  if (parameters !== undefined) return { prompt: automaticPrompt(parameters), by: "automatic1111" };
  const prompt = comfyPrompt(parsed(chunks.get("prompt")));
  return prompt === null ? null : { prompt, by: "comfyui" };
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Everything before the line of the negative prompt, or of the settings. */
function automaticPrompt(parameters: string): string {
  const lines = parameters.split("\n");
  const end = lines.findIndex((line) => /^Negative prompt:|^Steps: \d+/.test(line));
  return (end < 0 ? lines : lines.slice(0, end)).join("\n").trim();
}

const nodeSchema = z.object({ class_type: z.string(), inputs: z.record(z.string(), z.unknown()) });
const linkSchema = z.tuple([z.union([z.string(), z.number()]), z.number()]);
type Nodes = Readonly<Record<string, z.output<typeof nodeSchema>>>;

/** Follows the sampler's positive conditioning to its text; without a sampler, the first text there is. */
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

/** Links may run in a circle in a file that somebody made up. */
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
