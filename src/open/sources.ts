/** The weight files that a run reads, with their hashes: what provenance names, and what a repeated run compares. */
import path from "node:path";
import { adapterFile, openFile, openWeights } from "../checkpoint/node/index.js";
import { hashFile } from "../files/index.js";
import type { GenerateRequest } from "../generate/index.js";
import { locate, locateByName } from "../lookup/index.js";
import type { WeightIndex } from "../tensor/index.js";
import { lorasOf } from "../text/index.js";
import type { OpenedPair } from "./bind.js";
import type { PairReference } from "./reference.js";

export type SourceRole = "base" | "distilled" | "text encoder" | "decoder" | "adapter" | "embedding";

/** A weight file of a run. */
export interface SourceFile {
  readonly role: SourceRole;
  /** Reference as given, or as the pair's row has it. */
  readonly ref: string;
  /** Path inside the referenced folder, or the file's name. */
  readonly file: string;
  /** SHA-256 of the file; A1111 shows the first 10 digits. */
  readonly sha256: string;
  /**
   * Adapters in safetensors: SHA-256 of the file behind its header, or the hash in its metadata. A1111 and Civitai name LoRAs by its
   * first 12 digits, since it outlives a change of the metadata.
   */
  readonly weights?: string;
}

type Place = Pick<SourceFile, "role" | "ref" | "file"> & { readonly path: string };

/**
 * The weight files of a pair and of a request, with hashes; each file once for each role. Cached hashes and those of the Hub's cache
 * take no reading.
 * @param reference the pair's adapters and embeddings by reference
 * @param byName the request's adapters are names in the model folders or the package, never paths or Hub ids
 * @throws FileError when a file cannot be read; `signal.reason` when aborted
 */
export async function sourceFiles(
  pair: OpenedPair,
  { adapters = [], embeddings = [], decoder, textEncoders = [] }: PairReference,
  request: Pick<GenerateRequest, "adapters" | "prompts" | "promptSyntax">,
  signal?: AbortSignal,
  byName = false,
): Promise<SourceFile[]> {
  const { located, lookup, base, distilled } = pair;
  const parts: Place[] = [...placesIn("base", located.base, await base.weights())];
  if (distilled && located.distilled) {
    const { ref, path: found } = located.distilled;
    if (distilled.lora) parts.push(await adapterPlace("distilled", ref, found));
    else parts.push(...placesIn("distilled", located.distilled, await distilled.weights()));
  }
  for (const [i, weights] of pair.text.weights.entries()) {
    const found = located.textEncoders[i];
    const origin = found === undefined ? located.base : { ref: textEncoders[i] ?? found, path: found };
    parts.push(...placesIn("text encoder", origin, await weights()));
  }
  const decoderOrigin = located.decoder === null ? located.base : { ref: decoder ?? "", path: located.decoder };
  parts.push(...placesIn("decoder", decoderOrigin, await pair.decoder.weights()));
  for (const { ref } of adapters) {
    parts.push(await adapterPlace("adapter", ref, await locate(ref, "adapter", lookup)));
  }
  for (const { ref } of request.adapters ?? []) {
    const found = await (byName ? locateByName : locate)(ref, "adapter", lookup);
    parts.push(await adapterPlace("adapter", ref, found));
  }
  for (const name of promptLoras(request)) {
    parts.push(await adapterPlace("adapter", name, await locateByName(name, "adapter", lookup)));
  }
  for (const { ref } of embeddings) {
    const found = await locate(ref, "textual inversion", lookup);
    parts.push({ role: "embedding", ref, file: path.basename(found), path: found });
  }
  const hashed: SourceFile[] = [];
  for (const { path: found, ...part } of parts) {
    const sha256 = await hashFile(found, 0, signal);
    const isLora = part.role === "adapter" || (part.role === "distilled" && distilled?.lora);
    const weights = isLora ? await weightsHash(found, signal) : undefined;
    hashed.push({ ...part, sha256, ...(weights !== undefined && { weights }) });
  }
  return hashed;
}

/** Names of the LoRAs that the prompts name, each once. */
export const promptLoras = ({
  prompts,
  promptSyntax,
}: Pick<GenerateRequest, "prompts" | "promptSyntax">): Set<string> =>
  new Set(promptSyntax === "a1111" ? prompts.flatMap((prompt) => lorasOf(prompt).map(({ name }) => name)) : []);

/** Files of a component, in order of their tensors. Shards are several. */
function placesIn(role: SourceRole, { ref, path: root }: { ref: string; path: string }, index: WeightIndex): Place[] {
  const files = new Map<string, Place>();
  for (const { bytes } of index.weights.values()) {
    const { name, path: found } = bytes.source;
    if (found === undefined || files.has(found)) continue;
    const inside = path.relative(root, name);
    const file = inside === "" || inside.startsWith("..") ? path.basename(name) : inside.replaceAll(path.sep, "/");
    files.set(found, { role, ref, file, path: found });
  }
  return [...files.values()];
}

async function adapterPlace(role: SourceRole, ref: string, found: string): Promise<Place> {
  const file = await adapterFile(found);
  return { role, ref, file: path.basename(file), path: file };
}

/** Hash of a LoRA's tensors, in hexadecimal; undefined for files that are not safetensors. */
async function weightsHash(file: string, signal?: AbortSignal): Promise<string | undefined> {
  if (!/\.(safetensors|sft)$/i.test(file)) return undefined;
  const { metadata } = await openWeights(file);
  const known = metadata["sshs_model_hash"] ?? "";
  if (/^[0-9a-f]{64}$/.test(known)) return known;
  const first = await (await openFile(file)).read(0, 8);
  const header = Number(new DataView(first.buffer, first.byteOffset).getBigUint64(0, true));
  return hashFile(file, 8 + header, signal);
}
