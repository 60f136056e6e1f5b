/** The encoder of an autoencoder: images to the distribution of their latents, in the denoiser's scale. */
import { readFloats } from "../checkpoint/index.js";
import { RequestError, WeightMissingError } from "../errors.js";
import { drawEncoder, drawTinyEncoder } from "../models/index.js";
import { type Call, finite, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { type FloatTensor, float, fromRgb, type RgbImage, type WeightIndex } from "../tensor/index.js";
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

/** Squares of side² positions of x [1, Z, s h, s w] as channels: [1, s² Z, h, w], those of a channel together. */
function folded({ shape, data }: FloatTensor, side: number): FloatTensor {
  const [, channels = 1, rows = 1, columns = 1] = shape;
  const [height, width] = [rows / side, columns / side];
  const found = float([1, channels * side ** 2, height, width]);
  for (let i = 0; i < data.length; i++) {
    const [x, y, c] = [i % columns, Math.floor(i / columns) % rows, Math.floor(i / (columns * rows))];
    const channel = (c * side + (y % side)) * side + (x % side);
    const at = (channel * height + Math.floor(y / side)) * width + Math.floor(x / side);
    found.data[at] = data[i] ?? 0;
  }
  return found;
}

/** Mean and deviation of each channel of folded latents, by the statistics of the autoencoder's batch norm. */
async function foldedStatistics(index: WeightIndex, epsilon: number) {
  const statistic = async (name: string): Promise<Float32Array> => {
    const weight = index.weights.get(name);
    if (!weight) throw new WeightMissingError({ tensor: name, file: index.source });
    return readFloats(weight);
  };
  const mean = await statistic("bn.running_mean");
  return { mean, std: (await statistic("bn.running_var")).map((v) => Math.sqrt(v + epsilon)) };
}

/** Creates the encoder that belongs to a decoder. Computes in float32; weights are loaded by the first image. */
export function createEncoder(runtime: Runtime, { config, weights }: Pick<Decoder, "config" | "weights">): Encoder {
  const folding = config.kind === "kl" ? config.folding : null;
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
  const scaled = (
    { shape, data }: FloatTensor,
    { mean, std }: { readonly mean: ArrayLike<number> | null; readonly std: ArrayLike<number> | null },
    offset: boolean,
    to: (v: number) => number,
  ): FloatTensor => {
    const plane = (shape[2] ?? 1) * (shape[3] ?? 1);
    const values = data.map((v, i) => {
      const c = Math.floor(i / plane);
      const zero = offset ? scaling.shift + (mean?.[c] ?? 0) : 0;
      return ((to(v) - zero) * scaling.scale) / (std?.[c] ?? 1);
    });
    return float(shape, values);
  };
  return {
    async encode(image) {
      const { width, height } = image;
      if (width % scaleFactor !== 0 || height % scaleFactor !== 0)
        throw new RequestError(`the image is ${width} × ${height}; expected multiples of ${scaleFactor} pixels`);
      const { outputs } = await encoder.run({ height, width }, { image: fromRgb(image) });
      const own = (x: FloatTensor) => (folding ? folded(x, folding.side) : x);
      const by = folding ? await foldedStatistics(await weights(), folding.epsilon) : scaling;
      const mean = own(await finite(outputs["mean"], call));
      const { logvar } = outputs;
      const deviation = (v: number) => Math.exp(Math.min(Math.max(v, LEAST), MOST) / 2);
      return {
        mean: scaled(mean, by, true, (v) => v),
        std: logvar ? scaled(own(await finite(logvar, call)), by, false, deviation) : float(mean.shape),
      };
    },
    release: () => encoder.release(),
  };
}
