/** Events of a run as a discriminated union, for generation, progress and visualisation, and their JSON form. */
import type { TileProgress } from "../decode/index.js";
import type { ModelName, NoiseLevel } from "../sampling/index.js";
import type { FloatTensor, RgbImage } from "../tensor/index.js";
import type { Offload } from "./request.js";
import type { SampleKey } from "./sample.js";

export type GenerateEvent =
  /** Input that has no effect in this run, or a setting that had to be guessed, as a sentence. */
  | { readonly type: "notice"; readonly text: string }
  /** The request was changed to fit in memory; `why` says how, in sentences. */
  | { readonly type: "adjusted"; readonly offload: Offload; readonly batch: number; readonly why: readonly string[] }
  | { readonly type: "loaded"; readonly network: string; readonly milliseconds: number }
  /** A network was released, with offload `sequential`. */
  | { readonly type: "released"; readonly network: string }
  | { readonly type: "encoded"; readonly prompt: number; readonly truncated: number }
  | StepEvent
  /** Seeds of a prompt that go on after a row, of those that ran it. */
  | {
      readonly type: "chosen";
      readonly row: number;
      readonly prompt: number;
      readonly of: number;
      readonly seeds: readonly number[];
    }
  /** Number of decoded tiles of an image, over all stages of the decoder. */
  | ({ readonly type: "tile" } & TileProgress & SampleKey)
  | ({
      readonly type: "image";
      readonly image: RgbImage;
      readonly latents: FloatTensor;
      /** Samples that this one depends on: those of its model calls, in whose batch it is rounded, or all of its prompt with methods that need them. */
      readonly batch: readonly SampleKey[];
      /** Number of them in one model call. */
      readonly perCall: number;
      /** Number of images of the same call of the decoder that follow, without another call between them. */
      readonly following: number;
    } & SampleKey)
  | { readonly type: "done"; readonly images: number; readonly calls: number; readonly milliseconds: Milliseconds };

/** A step of one sample. */
export interface StepEvent extends SampleKey {
  readonly type: "step";
  /** Index of the row in the plan, which also has re-noise rows. */
  readonly row: number;
  /** Index of the step, from 0, and the number of steps in the plan. */
  readonly step: number;
  readonly steps: number;
  readonly model: ModelName;
  readonly timestep: number;
  readonly from: NoiseLevel;
  readonly to: NoiseLevel;
  /** Latents before the step, predicted clean latents, latents after the step: [1, C, h, w], owned by the consumer. */
  readonly xt: FloatTensor;
  readonly x0: FloatTensor;
  readonly next: FloatTensor;
  /** Number of samples whose event of this row follows, without a model call between them. */
  readonly following: number;
}

/** Time of a run by phase, summed over all images. Loading is not part of it. */
export interface Milliseconds {
  readonly encode: number;
  readonly denoise: number;
  readonly decode: number;
}

/** JSON form of an event. Latents and pixels are replaced by their shapes and sizes. */
export function eventJson(event: GenerateEvent): Readonly<Record<string, unknown>> {
  if (event.type === "step") {
    const { xt, x0: _x0, next: _next, following: _, ...rest } = event;
    return { ...rest, latents: xt.shape };
  }
  if (event.type === "image") {
    const { image, latents, batch: _, perCall: _perCall, following: _following, ...rest } = event;
    return { ...rest, width: image.width, height: image.height, latents: latents.shape };
  }
  return { ...event };
}
