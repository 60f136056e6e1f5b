/** Interface of a denoiser, the same for every family: latents, a timestep and conditioning → a prediction. */

import type { Graph } from "../graph/index.js";
import { type FloatTensor, float, type Tensor } from "../tensor/index.js";
import type { DrawingWeights } from "./drawing.js";

/** Size of an image in pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Encoded prompt of one sample. */
export interface Conditioning {
  /** Hidden states by stream, [1, L, D] each. The UNets have one stream, "text". */
  readonly streams: Readonly<Record<string, FloatTensor>>;
  /** Attention masks by stream, [1, L]: 1 for tokens, 0 for padding; absent where padding is attended to as well. */
  readonly masks?: Readonly<Record<string, FloatTensor>>;
  /** Pooled text [1, P], for families that take it. */
  readonly pooled?: FloatTensor;
}

/** Zeros with the shapes of a conditioning, and its masks, for an unconditional pass without a prompt. */
export const zeroConditioning = ({ streams, masks, pooled }: Conditioning): Conditioning => ({
  streams: Object.fromEntries(Object.entries(streams).map(([name, { shape }]) => [name, float(shape)])),
  ...(masks && { masks }),
  ...(pooled && { pooled: float(pooled.shape) }),
});

/** Everything but the config that a denoiser's graph depends on. */
export interface DenoiserShape {
  /** Latent height and width. */
  readonly height: number;
  readonly width: number;
  /** Length of the text conditioning, L. */
  readonly tokens: number;
}

/** One forward pass over a batch of B samples. */
export interface DenoiserCall {
  /** x_t of each sample, B × [1, C, h, w]. */
  readonly latents: readonly FloatTensor[];
  /** Timestep of all samples, or of each, B entries; may be fractional. */
  readonly timestep: number | readonly number[];
  /** Conditioning of each sample, B entries. */
  readonly conditioning: readonly Conditioning[];
  /** Guidance scale; read by networks that embed it. */
  readonly guidance: number;
  readonly size: ImageSize;
}

/** Timesteps of a call, [B]. */
export function timestepsOf({ latents, timestep }: Pick<DenoiserCall, "latents" | "timestep">): FloatTensor {
  const each = typeof timestep === "number" ? latents.map(() => timestep) : timestep;
  return float([latents.length], Float32Array.from(each));
}

/** A denoising network: its shapes, its graph, and the inputs of a forward pass. */
export interface Denoiser {
  /** The parsed config, as plain JSON. */
  readonly config: object;
  /** Channels of the latents, C. */
  readonly channels: number;
  /** Image size the network was trained for; null where the config does not state it. */
  readonly size: ImageSize | null;
  /** Image width and height must be multiples of this number of pixels. */
  readonly multiple: number;
  /** Longest side of an image in pixels, for networks with a table of positions. */
  readonly longest?: number;
  /** The guidance scale is an input of the network, which then needs no unconditional forward pass. */
  readonly embedsGuidance: boolean;
  /** Config values, by key, that two denoisers must share to be used in one plan. */
  readonly interface: Readonly<Record<string, number | null>>;
  /** A small valid shape, for graphs that are built to check weights. */
  readonly smallest: DenoiserShape;
  /** Features of the text conditioning, D. */
  readonly textFeatures: number;
  /** Length of the text conditioning that the network was trained with, where the text encoder can give several. */
  readonly textTokens?: number;
  /** Shape of one sample's latents [1, C, h, w] for an image. */
  latents(size: ImageSize): readonly [1, number, number, number];
  /** Builds the graph. Its output "prediction" has the shape of the latents. @throws WeightMissingError, WeightShapeError */
  draw(shape: DenoiserShape, index: DrawingWeights): Graph;
  /** Graph inputs of one forward pass, by name. */
  inputs(call: DenoiserCall): Record<string, Tensor>;
}
