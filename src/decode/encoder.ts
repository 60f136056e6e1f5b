/** The encoder of an autoencoder: images to the distribution of their latents, in the denoiser's scale. */
import { RequestError } from "../errors.js";
import { drawEncoder, drawTinyEncoder } from "../models/index.js";
import { type Call, finite, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { type FloatTensor, float, fromRgb, type RgbImage } from "../tensor/index.js";
import type { Decoder, LatentSize } from "./decoder.js";

/** A normal distribution of latents, each [1, C, h, w]: x0 = mean + std · ε. */
export interface LatentDistribution {
  readonly mean: FloatTensor;
  /** Zeros for an AutoencoderTiny, which has no variance. */
  readonly std: FloatTensor;
}

/** An encoder on a runtime. */
export interface Encoder {
  /**
   * Latents of an image whose sides are multiples of the VAE scale factor.
   * @throws RequestError for another size; WeightMissingError where the file holds the decoder alone; NonFiniteError
   */
  encode(image: RgbImage): Promise<LatentDistribution>;
  release(): Promise<void>;
}

/** Bounds of the log variance, as diffusers' DiagonalGaussianDistribution has them. */
const [LEAST, MOST] = [-30, 20];

/** Creates the encoder that belongs to a decoder. Computes in float32; weights are loaded by the first image. @throws RequestError for FLUX.2's folded latents */
export function createEncoder(runtime: Runtime, { config, weights }: Pick<Decoder, "config" | "weights">): Encoder {
  if (config.kind === "kl" && config.folding)
    throw new RequestError("images cannot be encoded to the folded latents of FLUX.2");
  const { scaling, scaleFactor } = config;
  const encoder = network<LatentSize>(
    "encoder",
    runtime,
    ({ height, width }, index) => {
      if (config.kind === "drawn") return config.drawEncoder(index, height, width);
      return config.kind === "tiny"
        ? drawTinyEncoder(config, index, height, width)
        : drawEncoder(config, index, height, width);
    },
    weights,
  );
  const call: Call = { network: "the encoder", at: "its output", weights };
  /** Values by channel: (z − shift − mean) · scale / std, the inverse of what the decoder undoes. */
  const scaled = ({ shape, data }: FloatTensor, offset: boolean, to: (v: number) => number): FloatTensor => {
    const plane = (shape[2] ?? 1) * (shape[3] ?? 1);
    const values = data.map((v, i) => {
      const c = Math.floor(i / plane);
      const zero = offset ? scaling.shift + (scaling.mean?.[c] ?? 0) : 0;
      return ((to(v) - zero) * scaling.scale) / (scaling.std?.[c] ?? 1);
    });
    return float(shape, values);
  };
  return {
    async encode(image) {
      const { width, height } = image;
      if (width % scaleFactor !== 0 || height % scaleFactor !== 0)
        throw new RequestError(`the image is ${width} × ${height}; expected multiples of ${scaleFactor} pixels`);
      const { outputs } = await encoder.run({ height, width }, { image: fromRgb(image) });
      const mean = await finite(outputs["mean"], call);
      const { logvar } = outputs;
      const deviation = (v: number) => Math.exp(Math.min(Math.max(v, LEAST), MOST) / 2);
      return {
        mean: scaled(mean, true, (v) => v),
        std: logvar ? scaled(await finite(logvar, call), false, deviation) : float(mean.shape),
      };
    },
    release: () => encoder.release(),
  };
}
