/** The decoder of an autoencoder, large or tiny: its config, and the network that turns latents into images, whole or in tiles. */
import type { Component } from "../checkpoint/index.js";
import { UnsupportedConfigError } from "../errors.js";
import {
  type AutoencoderConfig,
  drawDecoder,
  drawTinyDecoder,
  type LatentScaling,
  parseAutoencoderConfig,
  parseTinyAutoencoderConfig,
  type TinyAutoencoderConfig,
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

/** Classes of autoencoders whose decoder is drawn. */
export const AUTOENCODERS = ["AutoencoderKL", "AutoencoderTiny"] as const;

/** A decoder as it is read from its files, before anything runs. */
export interface DecoderFiles {
  readonly component: Component;
  readonly config: AutoencoderConfig | TinyAutoencoderConfig;
  readonly weights: () => Promise<WeightIndex>;
}

export interface Decoder {
  readonly config: AutoencoderConfig | TinyAutoencoderConfig;
  readonly scaling: LatentScaling;
  readonly weights: () => Promise<WeightIndex>;
  readonly network: Network<LatentSize>;
  readonly inTiles: TiledDecoder;
}

/** Latent height and width. */
export interface LatentSize {
  readonly height: number;
  readonly width: number;
}

/** Reads an autoencoder's config. @throws UnsupportedConfigError */
export function parseDecoder(component: Component): DecoderFiles {
  const source = { file: component.configFile, config: component.config };
  const { className, weights } = component;
  if (className === "AutoencoderTiny") return { component, config: parseTinyAutoencoderConfig(source), weights };
  if (className === "AutoencoderKL") return { component, config: parseAutoencoderConfig(source), weights };
  throw new UnsupportedConfigError({
    file: component.configFile,
    key: "_class_name",
    actual: className,
    supported: AUTOENCODERS.join(", "),
  });
}

/** A decoder computes in float32 where its config says that it overflows in float16. */
export const decoderPrecision = ({ config }: Pick<DecoderFiles, "config">, precision: Precision): Precision =>
  config.kind === "kl" && config.forceUpcast ? { ...precision, compute: "float32" } : precision;

/** The decoder on a runtime. Nothing is loaded yet. */
export function createDecoder(
  runtime: Runtime,
  { component, config, weights }: DecoderFiles,
  { precision = FLOAT32, ...rest }: NetworkOptions = {},
): Decoder {
  const own = decoderPrecision({ config }, precision);
  const decoder = network<LatentSize>(
    "decoder",
    runtime,
    ({ height, width }, index) =>
      drawn(component, () =>
        config.kind === "tiny"
          ? drawTinyDecoder(config, index, height, width)
          : drawDecoder(config, index, height, width),
      ),
    weights,
    { ...rest, precision: own },
  );
  const run = async (latents: FloatTensor) => {
    const [, , height = 1, width = 1] = latents.shape;
    return floats((await decoder.run({ height, width }, { latents })).outputs["image"]);
  };
  const inTiles = config.kind === "tiny" ? windowedDecoder(config, run) : stagedDecoder(runtime, config, weights, own);
  return { config, scaling: config.scaling, weights, network: decoder, inTiles };
}
