/** The decoder of an autoencoder: its config, and its network, run in one piece or in tiles. */
import type { Component } from "../checkpoint/index.js";
import { UnsupportedConfigError } from "../errors.js";
import type { Graph } from "../graph/index.js";
import {
  type AnyAutoencoder,
  AUTOENCODERS,
  autoencoderOf,
  type DrawingWeights,
  drawDecoder,
  drawTinyDecoder,
  type LatentScaling,
} from "../models/index.js";
import {
  drawn,
  FLOAT32,
  floats,
  type Network,
  type NetworkOptions,
  network,
  type Precision,
} from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import type { FloatTensor, WeightIndex } from "../tensor/index.js";
import { stagedDecoder, type TiledDecoder, windowedDecoder } from "./tiled-decoder.js";

/** Config and weights of a decoder, before a runtime is involved. */
export interface DecoderFiles {
  readonly component: Component;
  readonly config: AnyAutoencoder;
  readonly weights: () => Promise<WeightIndex>;
}

/** A decoder on a runtime. */
export interface Decoder {
  readonly config: AnyAutoencoder;
  readonly scaling: LatentScaling;
  readonly weights: () => Promise<WeightIndex>;
  /** Draws the network that decodes in one piece. */
  readonly draw: (size: LatentSize, index: DrawingWeights) => Graph;
  /** Decodes in one piece: input latents [B, Z, h, w] in the decoder's scale, output image [B, C, h·f, w·f]. */
  readonly network: Network<LatentSize>;
  /** Decodes in tiles. */
  readonly inTiles: TiledDecoder;
}

/** Height and width in latents. */
export interface LatentSize {
  readonly height: number;
  readonly width: number;
}

/** Parses an autoencoder's config. @throws UnsupportedConfigError for another class, or naming the unsupported key */
export async function parseDecoder(component: Component): Promise<DecoderFiles> {
  const source = { file: component.configFile, config: component.config };
  const { className, weights } = component;
  if (AUTOENCODERS.includes(className)) return { component, config: await autoencoderOf(className, source), weights };
  throw new UnsupportedConfigError({
    file: component.configFile,
    key: "_class_name",
    actual: className,
    supported: AUTOENCODERS.join(", "),
  });
}

/** Precision of a decoder: float32 instead of float16 where its config has `force_upcast`, since values overflow; else the given one. */
export const decoderPrecision = ({ config }: Pick<DecoderFiles, "config">, precision: Precision): Precision =>
  config.kind !== "tiny" && config.forceUpcast && precision.compute === "float16"
    ? { ...precision, compute: "float32" }
    : precision;

/** Draws the network that decodes in one piece. @throws FileError naming the config */
export const drawDecoding = (
  { component, config }: Pick<DecoderFiles, "component" | "config">,
  { height, width }: LatentSize,
  index: DrawingWeights,
): Graph =>
  drawn(component, () => {
    if (config.kind === "drawn") return config.drawDecoder(index, height, width);
    return config.kind === "tiny"
      ? drawTinyDecoder(config, index, height, width)
      : drawDecoder(config, index, height, width);
  });

/** Creates a decoder on a runtime. Weights are loaded by its first call. */
export function createDecoder(
  runtime: Runtime,
  { component, config, weights }: DecoderFiles,
  { precision = FLOAT32, ...rest }: NetworkOptions = {},
): Decoder {
  const own = decoderPrecision({ config }, precision);
  const draw = (size: LatentSize, index: DrawingWeights) => drawDecoding({ component, config }, size, index);
  const decoder = network<LatentSize>("decoder", runtime, draw, weights, { ...rest, precision: own });
  const run = async (latents: FloatTensor) => {
    const [, , height = 1, width = 1] = latents.shape;
    return floats((await decoder.run({ height, width }, { latents })).outputs["image"]);
  };
  const inTiles = config.kind === "tiny" ? windowedDecoder(config, run) : stagedDecoder(runtime, config, weights, own);
  return { config, scaling: config.scaling, weights, draw, network: decoder, inTiles };
}
