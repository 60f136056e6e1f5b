/** A pair of models as a run needs it. Knows nothing of where they came from. */
import type { Adapter } from "../adapters/index.js";
import type { Decoder } from "../decode/index.js";
import type { Denoiser, DenoiserShape, ImageSize } from "../models/index.js";
import type { Compute, Network } from "../networks/index.js";
import type { Runtime, Upcast } from "../runtime/index.js";
import type { WeightIndex } from "../tensor/index.js";
import type { TextEncoders } from "../text/index.js";
import type { AdapterUse } from "./adapters.js";
import type { PlanSource, Sampled } from "./planning.js";

/** A denoiser with the weights and the scheduler it runs by. */
export interface Model extends Sampled {
  readonly denoiser: Denoiser;
  readonly weights: () => Promise<WeightIndex>;
  readonly network: Network<DenoiserShape>;
  /** The LoRA that makes this model of the base's weights, where it is one. */
  readonly lora: Adapter | null;
}

/** Where networks run and what they may take. */
export interface Engine {
  readonly runtime: Runtime;
  readonly compute: Compute;
  /** Bytes that a run may take. */
  readonly memoryBudget: number;
  /** When half-precision weights become float32. */
  readonly upcast: Upcast;
}

export interface Pair extends PlanSource {
  readonly base: Model;
  readonly distilled: Model | null;
  readonly text: TextEncoders;
  readonly decoder: Decoder;
  readonly engine: Engine;
  /** No negative prompt means zeros, not an encoded "". */
  readonly zeroNegative: boolean;
  /** Default size of an image in pixels. */
  readonly size: ImageSize;
  /** Adapters that act on every run. */
  readonly adapters: readonly AdapterUse[];
  /** Opens an adapter for this pair, once. @throws FileError, RequestError when it was made for another model */
  openAdapter(ref: string, options?: { readonly allowUnmatched?: boolean }): Promise<Adapter>;
  /** Frees everything. */
  close(): Promise<void>;
}
