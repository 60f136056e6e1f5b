/** A pair of models that is ready to run. Independent of the files that the models come from. */
import type { Adapter } from "../adapters/index.js";
import type { Decoder } from "../decode/index.js";
import type { Denoiser, DenoiserShape, ImageSize, ImageTower } from "../models/index.js";
import type { Compute, Network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import type { RgbImage, WeightIndex } from "../tensor/index.js";
import type { TextEncoders } from "../text/index.js";
import type { AdapterUse } from "./adapters.js";
import type { WeightForm } from "./budget.js";
import type { ModelSource, PlanSource } from "./plan-source.js";

/** Features of images and texts in one space. */
export interface ImageTextReader {
  images(images: readonly RgbImage[]): Promise<Float32Array[]>;
  text(prompt: string): Promise<Float32Array>;
  /** The network behind `images`, for gradients. */
  readonly tower: ImageTower;
}

/** Denoiser with its weights and its scheduler. */
export interface Model extends ModelSource {
  readonly denoiser: Denoiser;
  readonly weights: () => Promise<WeightIndex>;
  readonly network: Network<DenoiserShape>;
  /** LoRA that turns the base's weights into this model; null for a model with its own weights. */
  readonly lora: Adapter | null;
}

/** Runtime, precision and memory budget of a pair. */
export interface Engine extends WeightForm {
  readonly runtime: Runtime;
  readonly compute: Compute;
  /** Memory that a run may use, in bytes. */
  readonly memoryBudget: number;
}

export interface Pair extends PlanSource {
  readonly base: Model;
  readonly distilled: Model | null;
  readonly text: TextEncoders;
  readonly decoder: Decoder;
  readonly engine: Engine;
  /** Without a negative prompt the unconditional embeddings are zeros, not an encoded "". */
  readonly zeroNegative: boolean;
  /** Default size of an image in pixels. */
  readonly size: ImageSize;
  /** Adapters applied in every run. */
  readonly adapters: readonly AdapterUse[];
  /**
   * Opens an adapter for this pair, with a cache. With `byName` the reference is a name in the model folders or the package, never a path
   * or a Hub id.
   * @throws FileError, RequestError when it was made for another model
   */
  openAdapter(
    ref: string,
    options?: { readonly allowUnmatched?: boolean; readonly byName?: boolean },
  ): Promise<Adapter>;
  /** Opens the CLIP that judges images of this pair during a run; null where none is named. */
  clip(): Promise<ImageTextReader | null>;
  /** Releases all networks and the runtime. */
  close(): Promise<void>;
}
