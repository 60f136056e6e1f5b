/** Parts of a pair + runtime → pair. Loads no network. */
import type { Adapter } from "../adapters/index.js";
import type { Derive } from "../checkpoint/index.js";
import { createDecoder } from "../decode/index.js";
import { FAMILIES, type Family } from "../families/index.js";
import {
  type AdapterUse,
  type Engine,
  EXACT_TEXT,
  formIn,
  type GeneratedImage,
  generateImages,
  type ImageRequest,
  type MemoryNeed,
  type Model,
  memoryNeeds,
  type Pair,
  type Working,
} from "../generate/index.js";
import type { DenoiserShape } from "../models/index.js";
import {
  type Compute,
  createSessionPool,
  drawn,
  type NetworkOptions,
  network,
  type Precision,
  type Preparing,
} from "../networks/index.js";
import type { Device, Runtime, Upcast } from "../runtime/index.js";
import { type TextualInversion, textEncoders } from "../text/index.js";
import type { Adaptable } from "./adapters.js";
import type { ModelFiles, PairParts } from "./read.js";

/** A pair that generates. */
export interface BoundPair extends Pair, Adaptable {
  readonly family: Family;
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

/** Share of the memory budget for sessions that are kept in addition to the last one of each network. */
const SPARE = 1 / 8;

/** Memory of a pair under each loading strategy, from its files: for weights, and with `working` memory. */
export const memoryNeedsOfParts = (
  files: PairParts,
  compute: Compute = "float32",
  device?: Device,
  working?: Working,
): Promise<MemoryNeed[]> =>
  memoryNeeds(
    {
      text: { weights: files.textEncoders.map((e) => e.weights) },
      base: files.base,
      distilled: files.distilled,
      decoder: files.decoder,
    },
    compute,
    device,
    working,
  );

/** What a pair is bound with. */
export interface Binding {
  readonly compute: Compute;
  /** Memory that a run may use, in bytes. */
  readonly memoryBudget: number;
  /** Time at which weights become float32; default: by the memory budget. */
  readonly upcast?: Upcast | undefined;
  /** Most samples of a model call that several runs share; default 1. */
  readonly joinCalls?: number | undefined;
  readonly onPrepare?: ((preparing: Preparing) => void) | undefined;
  readonly derive: Derive;
  readonly openAdapter: Pair["openAdapter"];
  readonly clip: (engine: Engine) => ReturnType<Pair["clip"]>;
}

/** Binds the parts of a pair to a runtime. Closing the pair closes the runtime. */
export async function bindParts(
  files: PairParts,
  { lora, adapters, embeddings }: Additions,
  runtime: Runtime,
  { compute, memoryBudget, upcast: asked, joinCalls = 1, onPrepare, derive, openAdapter, clip }: Binding,
): Promise<BoundPair> {
  const { row, family, size, zeroNegative, parts } = files;
  const form = formIn(await memoryNeedsOfParts(files, compute, runtime.device), memoryBudget, asked);
  const engine: Engine = { runtime, compute, memoryBudget, ...form };
  const pool = createSessionPool(SPARE * memoryBudget);
  const precision: Precision = {
    ...{ compute, onPrepare, derive },
    upcast: form.upcast,
    // Others than ONNX Runtime on the processor would unpack all matrices while they load.
    unpack: runtime.device === "cpu" ? form.unpack : "at-load",
  };
  const options: NetworkOptions = { pool, precision };
  const exact: NetworkOptions = { pool, precision: { ...precision, compute: "float32" } };
  // Only the denoiser is quantised: it runs at every step.
  const beside = compute === "int8" ? exact : options;
  const small = FAMILIES[family].parameters.text <= EXACT_TEXT;
  const model = (name: string, read: ModelFiles, own: Adapter | null): Model => {
    const { component, ...model } = read;
    const draw = (shape: DenoiserShape, index: Parameters<typeof read.denoiser.draw>[1]) =>
      drawn(component, () => read.denoiser.draw(shape, index));
    return { ...model, lora: own, network: network(name, runtime, draw, read.weights, { ...options, joinCalls }) };
  };
  const pair: BoundPair = {
    row,
    family,
    suggestions: files.suggestions ?? [],
    calibrated: files.calibrated ?? null,
    ...(files.image && { image: files.image }),
    base: model("base", files.base, null),
    distilled: files.distilled && model("distilled", files.distilled, lora),
    text: await textEncoders(
      runtime,
      family,
      files.textEncoders,
      embeddings,
      compute === "bfloat16" && small ? exact : beside,
    ),
    decoder: createDecoder(runtime, files.decoder, beside),
    engine,
    size,
    zeroNegative,
    adapters,
    openAdapter,
    clip: once(() => clip(engine)),
    parts,
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
