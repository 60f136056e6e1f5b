/**
 * Adapters that requests may name: those of the package, of the model folders, and those that clients put into the workspace. The latter
 * are in `models/loras` of the workspace, which is a model folder of the studio like those of ComfyUI.
 */
import { randomUUID } from "node:crypto";
import { readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { adapterFacts } from "../adapters/index.js";
import { codeOf, FileError, VariegateError } from "../errors.js";
import { explained, hashFile, makeFolder, writeWhole } from "../files/index.js";
import type { GenerateRequest } from "../generate/index.js";
import { EMBEDDED_ADAPTERS, listModels, type ModelFolder, resolveReference } from "../lookup/index.js";
import { adaptersOf, type OpenedPair, type OpenOptions, openAdapter, type PairReference } from "../open/index.js";
import { Refusal } from "./refusal.js";

export const ORIGINS = ["package", "folder", "workspace"] as const;

/** An adapter by the name that a request uses. */
export interface NamedAdapter {
  readonly ref: string;
  readonly name: string;
  readonly from: (typeof ORIGINS)[number];
}

/** Facts of an adapter that was put into the workspace. */
export interface AddedAdapter extends NamedAdapter {
  readonly kind: string;
  readonly rank: number | null;
  readonly layers: number;
}

/** The workspace as a model folder. */
export const workspaceModels = (workspace: string): ModelFolder => ({ kind: "comfy", path: path.resolve(workspace) });

/** Models as they were named, without the model folder of the workspace: for records, which name adapters and their hashes. */
export function withoutWorkspace(models: PairReference & OpenOptions, workspace: string): PairReference & OpenOptions {
  const own = path.resolve(workspace);
  const { modelFolders = [], ...rest } = models;
  const others = modelFolders.filter((folder) => folder.path !== own);
  return { ...rest, ...(others.length > 0 && { modelFolders: others }) };
}

/** True if a request names an adapter that is in the workspace. */
export async function namesWorkspace(workspace: string, { adapters = [], prompts }: GenerateRequest): Promise<boolean> {
  const own = new Set((await readdir(lorasIn(workspace)).catch(() => [])).map(stem));
  const inPrompts = prompts.flatMap((prompt) => [...prompt.matchAll(/<lora:([^:>]+)/g)].map(([, name = ""]) => name));
  return [...adapters.map(({ ref }) => ref), ...inPrompts].some((ref) => own.has(stem(ref)));
}

const ADVICE = "choose another --workspace";
const lorasIn = (workspace: string): string => path.join(path.resolve(workspace), "models", "loras");
const incomingIn = (workspace: string): string => path.join(path.resolve(workspace), "incoming");

/** Creates the folder of adapters, and removes what was not written to its end. */
export async function prepareAdapters(workspace: string): Promise<void> {
  await makeFolder(lorasIn(workspace), ADVICE);
  await rm(incomingIn(workspace), { recursive: true, force: true });
}

const stem = (name: string): string => name.replace(/\.(safetensors|sft|gguf|ckpt|pt|pth|bin)$/i, "");

interface PlacedAdapter extends NamedAdapter {
  readonly path: string;
}

/** All adapters with their files: the pair's, the package's, those of the model folders, those of the workspace. */
async function placedAdapters(workspace: string, { lookup }: Pick<OpenedPair, "lookup">): Promise<PlacedAdapter[]> {
  const embedded = await Promise.all(
    EMBEDDED_ADAPTERS.map(async (folder) => {
      const place = resolveReference(folder);
      const names = await readdir(place).catch(() => []);
      return names.map((name) => path.join(place, name));
    }),
  );
  const shipped = new Set([...(lookup.pairAdapters ?? []).map(resolveReference), ...embedded.flat()]);
  const packaged = [...shipped].map((file) => ({ name: path.basename(file), path: file, from: "package" as const }));
  const own = lorasIn(workspace);
  const found = (await listModels(lookup.modelFolders ?? [], ["adapter"])).map(({ name, path: file }) => ({
    ...{ name, path: file },
    from: path.dirname(file) === own ? ("workspace" as const) : ("folder" as const),
  }));
  return [...packaged, ...found].map((adapter) => ({ ...adapter, ref: stem(adapter.name) }));
}

const named = ({ ref, name, from }: NamedAdapter): NamedAdapter => ({ ref, name, from });

/** Adapters that a request may name. Those of the package are for the embedded models: where they do not fit, they are left out. */
export async function listAdapters(workspace: string, pair: OpenedPair): Promise<NamedAdapter[]> {
  const all = await placedAdapters(workspace, pair);
  const packaged = all.filter(({ from }) => from === "package").map((adapter) => adapter.path);
  const fit = fitOf.get(pair) ?? adaptersOf(pair, packaged);
  fitOf.set(pair, fit);
  fit.catch(() => fitOf.delete(pair));
  const fits = await fit;
  return all.filter((adapter) => adapter.from !== "package" || fits.has(adapter.path)).map(named);
}

/** Adapters of the package that fit a pair: neither changes while a studio is open. Failures are not kept. */
const fitOf = new WeakMap<OpenedPair, Promise<ReadonlySet<string>>>();

/** The adapter whose file has this hash, by the name that a request uses; null if there is none. */
export async function adapterWithHash(workspace: string, pair: OpenedPair, sha256: string): Promise<string | null> {
  for (const { ref, path: file } of await placedAdapters(workspace, pair)) {
    if ((await hashFile(file).catch(() => "")) === sha256) return ref;
  }
  return null;
}

/** A file name from a client as the name of a file in one folder, on every operating system. */
export function safeName(given: string): string {
  const last = given.slice(Math.max(given.lastIndexOf("/"), given.lastIndexOf("\\")) + 1);
  const clean = stem(last)
    .normalize("NFC")
    .replace(/[^\p{L}\p{N} ._+()-]/gu, "_")
    .replace(/^[. ]+|[. ]+$/g, "")
    .slice(0, 100);
  return clean === "" ? "adapter" : clean;
}

/**
 * Writes an adapter to the workspace, after the check that every adapter of a run goes through. A file that is there already is named.
 * @throws RequestError, FileError for a file that does not fit the models, with the reason; MachineError when the disk is full
 */
export async function addAdapter(
  workspace: string,
  pair: OpenedPair,
  given: string,
  parts: AsyncIterable<Uint8Array>,
): Promise<AddedAdapter> {
  if (!/\.(safetensors|sft)$/i.test(given)) {
    throw new FileError(given, "is not taken: expected a .safetensors file, which cannot run code");
  }
  const folder = incomingIn(workspace);
  await makeFolder(folder, ADVICE);
  const incoming = path.join(folder, `${randomUUID()}.safetensors`);
  try {
    await writeWhole(
      incoming,
      async (sink) => {
        for await (const part of parts) await sink.write(part);
      },
      "start with another --workspace",
    );
    const facts = await factsOf(pair, incoming, given);
    return { ...(await keep(workspace, pair, incoming, safeName(given))), ...facts };
  } finally {
    await rm(incoming, { force: true });
  }
}

/** Opens an adapter as a run does. Errors name it as the client does, not its place. */
async function factsOf(pair: OpenedPair, file: string, given: string) {
  try {
    const { kinds, ranks, targets } = adapterFacts(await openAdapter(pair, file));
    const layers = targets.reduce((n, target) => n + target.layers, 0);
    return { kind: Object.keys(kinds).join(", "), rank: ranks?.[1] ?? null, layers };
  } catch (error) {
    if (!(error instanceof VariegateError)) throw error;
    throw new Refusal(422, error.message.replaceAll(file, given));
  }
}

/** Moves a checked file to the adapters under a name that no other has. The same file again keeps its name. */
async function keep(workspace: string, pair: OpenedPair, incoming: string, base: string): Promise<NamedAdapter> {
  const others = await placedAdapters(workspace, pair);
  const sha256 = await hashFile(incoming);
  for (let i = 1; ; i++) {
    const ref = i === 1 ? base : `${base}-${i}`;
    const same = others.find((other) => other.ref === ref);
    if (same && (await hashFile(same.path)) === sha256) return named(same);
    if (same) continue;
    const name = `${ref}.safetensors`;
    const file = path.join(lorasIn(workspace), name);
    await rename(incoming, file).catch((error: unknown) => {
      throw explained(error, file, "cannot be written", ADVICE);
    });
    return { ref, name, from: "workspace" };
  }
}

/** Removes an adapter from the workspace. @throws Refusal for one that is not in it */
export async function removeAdapter(workspace: string, pair: OpenedPair, ref: string): Promise<void> {
  const found = (await placedAdapters(workspace, pair)).find((adapter) => adapter.ref === ref);
  if (!found) throw new Refusal(404, `there is no adapter ${JSON.stringify(ref)}`);
  if (found.from !== "workspace") {
    throw new Refusal(
      403,
      `${JSON.stringify(ref)} is not in the workspace; the studio removes only adapters that were put there`,
    );
  }
  await rm(found.path).catch((error: unknown) => {
    throw new FileError(found.name, `cannot be removed (${codeOf(error)})`, { cause: error });
  });
}
