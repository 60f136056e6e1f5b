/** Interface of an autoencoder whose code is loaded when one is read: what it is like from outside, and its graphs. */
import type { Graph } from "../graph/index.js";
import type { AutoencoderConfig } from "./autoencoder.js";
import type { DecoderStage } from "./decoder-stages.js";
import type { DrawingWeights } from "./drawing.js";

/** An autoencoder other than AutoencoderKL and AutoencoderTiny. */
export interface DrawnAutoencoder
  extends Pick<AutoencoderConfig, "pixelChannels" | "latentChannels" | "scaling" | "forceUpcast" | "scaleFactor"> {
  readonly kind: "drawn";
  /** Graph as of `drawDecoder`, at a size in latents. @throws WeightMissingError, WeightShapeError */
  drawDecoder(index: DrawingWeights, height: number, width: number): Graph;
  /** Graph as of `drawEncoder`, at a size in pixels. @throws WeightMissingError, WeightShapeError */
  drawEncoder(index: DrawingWeights, height: number, width: number): Graph;
  /** Graph of the decoder's part that runs on the whole map: `latents` [1, Z, h, w] → `output` [1, C, h, w], times `headScale`. */
  drawHead(index: DrawingWeights, height: number, width: number): Graph;
  /** Pixels of the head's output per latent along each side. Default 1. */
  readonly headScale?: number;
  /** The rest of the decoder, for tiles. */
  stages(): DecoderStage[];
}
