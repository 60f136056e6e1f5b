/** What a run tells while it goes: a discriminated union that plain generation, progress and visualisation all read. */

import type { TileProgress } from "../decode/index.js";
import type { ModelName, NoiseLevel } from "../sampling/index.js";
import type { FloatTensor, RgbImage } from "../tensor/index.js";
import type { Memory } from "./memory.js";

/** Which picture an event is about: prompt number and seed. */
export interface Picture {
  /** Index into the request's prompts. */
  readonly prompt: number;
  readonly seed: number;
}

export type GenerateEvent =
  /** What was asked for does not fit the memory, and what is done instead, as sentences for people. */
  | { readonly type: "fitted"; readonly memory: Memory; readonly batch: number; readonly why: readonly string[] }
  | { readonly type: "loaded"; readonly network: string; readonly milliseconds: number }
  /** One model after the other: what was let go. */
  | { readonly type: "released"; readonly network: string }
  | { readonly type: "encoded"; readonly prompt: number; readonly truncated: number }
  | ({
      readonly type: "step";
      /** Row of the plan, and how many steps it has. */
      readonly index: number;
      readonly total: number;
      readonly model: ModelName;
      readonly timestep: number;
      readonly from: NoiseLevel;
      readonly to: NoiseLevel;
      /** Latents before the step and what they seem to become [1, C, h, w]; they belong to whoever takes them. */
      readonly xt: FloatTensor;
      readonly x0: FloatTensor;
      /** Latents after the step. */
      readonly next: FloatTensor;
    } & Picture)
  /** A picture that is decoded in tiles: how many are through, of all stages of the decoder together. */
  | ({ readonly type: "tile" } & TileProgress & Picture)
  | ({ readonly type: "image"; readonly image: RgbImage; readonly latents: FloatTensor } & Picture)
  | { readonly type: "done"; readonly images: number; readonly calls: number; readonly milliseconds: Milliseconds };

/** Where the time of a run went, summed over all pictures; loading is not part of it. */
export interface Milliseconds {
  readonly encode: number;
  readonly denoise: number;
  readonly decode: number;
}
