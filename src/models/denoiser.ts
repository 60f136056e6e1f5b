/** The denoiser of any family, as the sampling loop sees it: latents, a timestep and conditioning in, a prediction out. */

import type { Graph } from "../graph/index.js";
import type { FloatTensor, Tensor } from "../tensor/index.js";
import type { DrawingWeights } from "./drawing.js";

/** Height and width of an image in pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Encoded prompt of one sample. */
export interface Conditioning {
  /** Hidden states by stream, [1, L, D] each. The UNets have one stream, "text". */
  readonly streams: Readonly<Record<string, FloatTensor>>;
  /** For each stream 1 where it holds a token and 0 where it is padding, [1, L]; absent where all of it is read. */
  readonly masks?: Readonly<Record<string, FloatTensor>>;
  /** Pooled text [1, P], for families that take it. */
  readonly pooled?: FloatTensor;
}

/** Everything that a denoiser's graph depends on. */
export interface DenoiserShape {
  /** Latent height and width. */
  readonly height: number;
  readonly width: number;
  /** Length of the text, L. */
  readonly tokens: number;
}

/** One forward pass over a batch of B samples. */
export interface DenoiserCall {
  /** x_t of each sample, B × [1, C, h, w]. */
  readonly latents: readonly FloatTensor[];
  /** Timestep of the plan's row; may be fractional. */
  readonly timestep: number;
  /** Conditioning of each sample, B. */
  readonly conditioning: readonly Conditioning[];
  /** Guidance scale, for networks that take it as an input. */
  readonly guidance: number;
  readonly size: ImageSize;
}

export interface Denoiser {
  /** Its config as parsed: plain JSON. */
  readonly config: object;
  /** Channels of its latents, C. */
  readonly channels: number;
  /** Height and width in pixels it was trained for; null where the config does not say. */
  readonly size: ImageSize | null;
  /** Width and height of an image are multiples of this many pixels. */
  readonly multiple: number;
  /** Guidance is an input of the network, so that it takes no second forward pass. */
  readonly embedsGuidance: boolean;
  /** Config values, by key, that two denoisers must share to take turns in one run. */
  readonly interface: Readonly<Record<string, number | null>>;
  /** A small shape that can be drawn. Shapes of weights do not depend on it. */
  readonly smallest: DenoiserShape;
  /** Features that the text encoders must give it. */
  readonly textFeatures: number;
  /** Shape of one sample's latents [1, C, h, w] for an image. */
  latents(size: ImageSize): readonly [1, number, number, number];
  /** Draws the network; its output is named "prediction". @throws WeightMissingError, WeightShapeError */
  draw(shape: DenoiserShape, index: DrawingWeights): Graph;
  /** Inputs of the graph by name, for one forward pass. */
  inputs(call: DenoiserCall): Record<string, Tensor>;
}
