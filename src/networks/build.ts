/** Builds the graphs of a component at a small size, by class, to validate it: the shapes of weights do not depend on the image size. */
import type { Component } from "../checkpoint/index.js";
import { FileError } from "../errors.js";
import type { Graph } from "../graph/index.js";
import {
  type AnyAutoencoder,
  AUTOENCODERS,
  autoencoderOf,
  DENOISER_CLASSES,
  denoiserOf,
  drawClassifier,
  drawDecoder,
  drawEncoder,
  drawImageEncoder,
  drawTextEncoder,
  drawTextTransformer,
  drawTinyDecoder,
  drawTinyEncoder,
  parseClassifierConfig,
  parseClipConfig,
  parseTextEncoderConfig,
  TEXT_TRANSFORMER_CLASSES,
  type TextTransformerClass,
} from "../models/index.js";
import type { WeightIndex } from "../tensor/index.js";

type Draw = (
  source: { file: string; config: Readonly<Record<string, unknown>> },
  index: WeightIndex,
) => readonly Graph[] | Promise<readonly Graph[]>;

const has = ({ weights }: WeightIndex, start: string): boolean => [...weights.keys()].some((k) => k.startsWith(start));

/** The halves that the weights have. */
function drawAutoencoder(className: string): Draw {
  return async (source, index) => {
    const config = await autoencoderOf(className, source);
    const side = 2 * config.scaleFactor;
    const [decoder, encoder] = halvesOf(config, index, side);
    return [...(has(index, "decoder.") ? [decoder()] : []), ...(has(index, "encoder.") ? [encoder()] : [])];
  };
}

/** Decoder of 2 × 2 latents, and encoder of as many. */
function halvesOf(config: AnyAutoencoder, index: WeightIndex, side: number): [() => Graph, () => Graph] {
  if (config.kind === "drawn")
    return [() => config.drawDecoder(index, 2, 2), () => config.drawEncoder(index, side, side)];
  if (config.kind === "tiny") {
    return [() => drawTinyDecoder(config, index, 2, 2), () => drawTinyEncoder(config, index, side, side)];
  }
  return [() => drawDecoder(config, index, 2, 2), () => drawEncoder(config, index, side, side)];
}

function drawDenoiser(className: string): Draw {
  return async (source, index) => {
    const denoiser = await denoiserOf(className, source, 1);
    return [denoiser.draw(denoiser.smallest, index)];
  };
}

function drawTransformer(className: TextTransformerClass): Draw {
  return async (source, index) => [await drawTextTransformer(className, source, index)];
}

/** Graph builders of each class; an autoencoder gives a graph for each half that it has. */
const CLASSES: Readonly<Record<string, Draw>> = {
  ...Object.fromEntries(AUTOENCODERS.map((name) => [name, drawAutoencoder(name)] as const)),
  CLIPModel: (source, index) => {
    const { text, image } = parseClipConfig(source);
    const state = { back: 0, finalNorm: true };
    return [drawTextEncoder(text, index, { tokens: 8, state, pooled: true }), drawImageEncoder(image, index)];
  },
  ...Object.fromEntries(DENOISER_CLASSES.map((name) => [name, drawDenoiser(name)] as const)),
  ...Object.fromEntries(TEXT_TRANSFORMER_CLASSES.map((name) => [name, drawTransformer(name)] as const)),
  CLIPTextModel: (source, index) => drawText(source, index, false),
  CLIPTextModelWithProjection: (source, index) => drawText(source, index, true),
};

const drawText = (...[source, index, pooled]: [...Parameters<Draw>, boolean]): Graph[] => {
  const state = { back: 0, finalNorm: true };
  return [drawTextEncoder(parseTextEncoderConfig(source), index, { tokens: 8, state, pooled })];
};

/** Graph builder of a component; null for an unknown class. */
export function drawingOf({
  className,
  config,
  configFile,
}: Component): ((index: WeightIndex) => Promise<readonly Graph[]>) | null {
  const source = { file: configFile, config };
  // The config of an attribute classifier has no class name, but factors.
  const draw =
    CLASSES[className] ??
    ("factors" in config ? (s, index) => [drawClassifier(parseClassifierConfig(s), index)] : null);
  return draw && (async (index) => draw(source, index));
}

/** Builds a graph. Inconsistent shapes are reported as an error of the config. @throws FileError naming the config */
export function drawn(component: Component, draw: () => Graph): Graph {
  try {
    return draw();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new FileError(component.configFile, `asks for a network that cannot be drawn: ${error.message}`, {
      cause: error,
    });
  }
}
