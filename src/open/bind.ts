/** Pair files + runtime → pair. Loads no network. */
import { stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Adapter } from "../adapters/index.js";
import type { PairRow } from "../catalogue/index.js";
import { adapterFile, deriveInFile } from "../checkpoint/node/index.js";
import { createDecoder } from "../decode/index.js";
import type { Family } from "../families/index.js";
import {
  type AdapterUse,
  type Engine,
  type GeneratedImage,
  generateImages,
  type ImageRequest,
  type Model,
  memoryNeeds,
  type Pair,
  upcastIn,
} from "../generate/index.js";
import { commitOf } from "../hub/index.js";
import { type LookupOptions, locate, locateByName } from "../lookup/index.js";
import type { DenoiserShape } from "../models/index.js";
import { createSessionPool, drawn, type NetworkOptions, network, type Precision } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { type TextualInversion, textEncoders } from "../text/index.js";
import { type Adaptable, openAdapter } from "./adapters.js";
import { openOwnClip } from "./evaluator.js";
import type { LocatedPair } from "./locate.js";
import type { ModelFiles, PairFiles } from "./read.js";
import type { OpenOptions, PairReference } from "./reference.js";

/** Pair with the facts of its files. */
export interface OpenedPair extends Pair, Adaptable {
  readonly family: Family;
  readonly row: PairRow | null;
  /** References of the models, with their local paths. */
  readonly located: LocatedPair;
  /** Commits of models from the Hub. */
  readonly commits: { readonly base: string | null; readonly distilled: string | null };
  /** Lookup options for further references. */
  readonly lookup: LookupOptions;
  /**
   * Generates one image for each prompt and seed. `generate(pair, …)` yields each as it appears.
   * @throws RequestError before anything is loaded; MachineError when a model cannot run; `signal.reason` when aborted
   * @example
   * const images = await pair.generate({ prompt: "a harbour at dawn", seeds: [0, 1, 2, 3] });
   */
  generate(request: ImageRequest, signal?: AbortSignal): Promise<GeneratedImage[]>;
  /** Closes the pair at the end of the block of `await using pair = await openPair()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opened adapters and textual inversions of a pair. */
export interface Additions {
  /** LoRA that turns the base into the distilled model. */
  readonly lora: Adapter | null;
  readonly adapters: readonly AdapterUse[];
  readonly embeddings: readonly TextualInversion[];
}

/** Default memory budget as a share of the machine's memory. */
const MACHINE_SHARE = 0.8;
/** Share of the memory budget for sessions that are kept in addition to the last one of each network. */
const SPARE = 1 / 8;

/** Default memory budget in bytes: a share of this machine's memory, or of the limit of its container. */
export function machineBudget(): number {
  const limit = process.constrainedMemory();
  return MACHINE_SHARE * (limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem());
}

/** Memory for the weights of a pair under each loading strategy, from its files. */
export const memoryNeedsOfFiles = (files: PairFiles, compute: Engine["compute"] = "float32") =>
  memoryNeeds(
    {
      text: { weights: files.textEncoders.map((e) => e.weights) },
      base: files.base,
      distilled: files.distilled,
      decoder: files.decoder,
    },
    compute,
  );

/** Binds the files of a pair to a runtime. Closing the pair closes the runtime. */
export async function bindPair(
  files: PairFiles,
  { lora, adapters, embeddings }: Additions,
  runtime: Runtime,
  { compute = "float32" }: PairReference,
  { memoryBudget = machineBudget(), onPrepare, clip }: OpenOptions,
): Promise<OpenedPair> {
  const { located, row, family, size, zeroNegative, parts, lookup } = files;
  const upcast = upcastIn(await memoryNeedsOfFiles(files, compute), memoryBudget);
  const engine: Engine = { runtime, compute, memoryBudget, upcast };
  const pool = createSessionPool(SPARE * memoryBudget);
  const precision: Precision = { compute, onPrepare, upcast, derive: deriveInFile };
  const options: NetworkOptions = { pool, precision };
  // Only the denoiser is quantised: it runs at every step.
  const beside: NetworkOptions = {
    pool,
    precision: compute === "int8" ? { ...precision, compute: "float32" } : precision,
  };
  const model = (name: string, read: ModelFiles, own: Adapter | null): Model => {
    const { component, ...model } = read;
    const draw = (shape: DenoiserShape, index: Parameters<typeof read.denoiser.draw>[1]) =>
      drawn(component, () => read.denoiser.draw(shape, index));
    return { ...model, lora: own, network: network(name, runtime, draw, read.weights, options) };
  };
  const pair: OpenedPair = {
    row,
    located,
    family,
    suggestions: files.suggestions ?? [],
    calibrated: files.calibrated ?? null,
    ...(files.image && { image: files.image }),
    base: model("base", files.base, null),
    distilled: files.distilled && model("distilled", files.distilled, lora),
    text: textEncoders(runtime, family, files.textEncoders, embeddings, beside),
    decoder: createDecoder(runtime, files.decoder, beside),
    engine,
    size,
    zeroNegative,
    adapters,
    openAdapter: adapterCache({ parts, family, lookup }),
    clip: once(() => openOwnClip({ row, engine, lookup }, clip)),
    parts,
    commits: { base: commitOf(located.base.path), distilled: commitOf(located.distilled?.path ?? "") },
    lookup,
    generate: (request, signal) => generateImages(pair, request, signal),
    close: () => runtime.close(),
    [Symbol.asyncDispose]: () => runtime.close(),
  };
  return pair;
}

/** Calls a function once, and returns the same promise from then on. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Caches the adapters of a pair until their files change. Failures are not cached. */
function adapterCache(model: Adaptable & { readonly lookup: LookupOptions }): Pair["openAdapter"] {
  const opened = new Map<string, Promise<Adapter>>();
  return async (ref, { allowUnmatched = false, byName = false } = {}) => {
    const place = await (byName ? locateByName : locate)(ref, "adapter", model.lookup);
    const file = await adapterFile(place);
    const config = path.join(path.dirname(file), "adapter_config.json");
    const key = JSON.stringify([ref, file, await changeOf(file), await changeOf(config), allowUnmatched]);
    const adapter = opened.get(key) ?? openAdapter(model, byName ? place : ref, { allowUnmatched });
    opened.set(key, adapter);
    adapter.catch(() => opened.delete(key));
    return adapter;
  };
}

/** Size and time of the last change of a file; zeros without one. */
async function changeOf(file: string): Promise<readonly number[]> {
  const { size, mtimeMs } = await stat(file).catch(() => ({ size: 0, mtimeMs: 0 }));
  return [size, mtimeMs];
}
