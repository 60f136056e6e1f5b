/** The way back from latents to pictures: an autoencoder's decoder or a tiny one, in one piece or in tiles. */
import { statSync } from "node:fs";
import { autoencoderFolder, type Component, openAutoencoderFile, openComponentFolder } from "../checkpoint/index.js";
import { UnsupportedConfigError } from "../errors.js";
import type { Graph } from "../graph/index.js";
import { arenaBytes } from "../graph/index.js";
import { locate, type Sources } from "../lookup/index.js";
import {
  type AutoencoderConfig,
  drawDecoder,
  drawTinyDecoder,
  type LatentScaling,
  parseAutoencoderConfig,
  parseTinyAutoencoderConfig,
  type TinyAutoencoderConfig,
} from "../models/index.js";
import { drawn, FLOAT32, floats, type Network, network, type Precision } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import type { FloatTensor, WeightIndex } from "../tensor/index.js";
import { stagedDecoder, type TiledDecoder, windowedDecoder } from "./tiled-decoder.js";

export interface Decoder {
  readonly config: AutoencoderConfig | TinyAutoencoderConfig;
  readonly scaling: LatentScaling;
  readonly weights: () => Promise<WeightIndex>;
  readonly network: Network<LatentSize>;
  /** Bytes that a call for one picture works in. */
  worksIn(size: LatentSize): Promise<number>;
  readonly inTiles: TiledDecoder;
}

interface LatentSize {
  readonly height: number;
  readonly width: number;
}

/** The decoder that a component is, in what it computes in. */
export function decoderOf(runtime: Runtime, component: Component, precision: Precision = FLOAT32): Decoder {
  const source = { file: component.configFile, config: component.config };
  const { weights } = component;
  const made = (draw: (index: WeightIndex, height: number, width: number) => Graph, own: Precision) => ({
    weights,
    network: network(
      "decoder",
      runtime,
      ({ height, width }: LatentSize, index) => drawn(component, () => draw(index, height, width)),
      weights,
      own,
    ),
    worksIn: async ({ height, width }: LatentSize) => {
      const index = await weights();
      return arenaBytes(
        drawn(component, () => draw(index, height, width)),
        1,
      );
    },
  });
  if (component.className === "AutoencoderTiny") {
    const config = parseTinyAutoencoderConfig(source);
    const decoder = made((w, h, x) => drawTinyDecoder(config, w, h, x), precision);
    const run = async (latents: FloatTensor) => {
      const [, , height = 1, width = 1] = latents.shape;
      return floats((await decoder.network.run({ height, width }, { latents })).outputs["image"]);
    };
    return { ...decoder, config, scaling: config.scaling, inTiles: windowedDecoder(config, run) };
  }
  const config = parseAutoencoderConfig(source);
  // A decoder that overflows in float16 says so in its config.
  const own: Precision = config.forceUpcast ? { ...precision, compute: "float32" } : precision;
  const decoder = made((w, h, x) => drawDecoder(config, w, h, x), own);
  return { ...decoder, config, scaling: config.scaling, inTiles: stagedDecoder(runtime, config, weights, own) };
}

/** Another decoder for a pair's latents, such as a TAESD. @throws FileError, UnsupportedConfigError */
export async function openDecoder(runtime: Runtime, ref: string, sources: Sources = {}): Promise<Decoder> {
  return decoderOf(runtime, await openAutoencoder(ref, sources));
}

/** An autoencoder by itself. @param scaling the scale of the latents that a file without a config is to decode @throws FileError, UnsupportedConfigError */
export async function openAutoencoder(ref: string, sources: Sources, scaling?: number): Promise<Component> {
  const place = await locate(ref, "autoencoder", sources);
  if (statSync(place, { throwIfNoEntry: false })?.isFile()) return openAutoencoderFile(place, scaling);
  const component = await openComponentFolder(await autoencoderFolder(place));
  if (["AutoencoderKL", "AutoencoderTiny"].includes(component.className)) return component;
  throw new UnsupportedConfigError({
    file: component.configFile,
    key: "_class_name",
    actual: component.className,
    supported: "AutoencoderKL, AutoencoderTiny",
  });
}
