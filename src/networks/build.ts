/** How the networks of each class are drawn: of a component, and at a small size to see whether it can be, since shapes of weights do not depend on it. */
import type { Component } from "../checkpoint/index.js";
import { FileError } from "../errors.js";
import type { Graph } from "../graph/index.js";
import {
  drawClassifier,
  drawDecoder,
  drawEncoder,
  drawImageEncoder,
  drawTextEncoder,
  drawTinyDecoder,
  drawTinyEncoder,
  drawUNet,
  parseAutoencoderConfig,
  parseClassifierConfig,
  parseClipConfig,
  parseTextEncoderConfig,
  parseTinyAutoencoderConfig,
  parseUNetConfig,
} from "../models/index.js";
import type { WeightIndex } from "../tensor/index.js";

type Draw = (
  source: { file: string; config: Readonly<Record<string, unknown>> },
  index: WeightIndex,
) => readonly Graph[];

const has = ({ weights }: WeightIndex, start: string): boolean => [...weights.keys()].some((k) => k.startsWith(start));

/** Draws every network that a class has; of an autoencoder the halves that are there. */
const CLASSES: Readonly<Record<string, Draw>> = {
  UNet2DConditionModel: (source, index) => {
    const config = parseUNetConfig(source);
    const side = 2 ** config.down.length;
    return [drawUNet(config, index, { height: side, width: side, tokens: 8 })];
  },
  AutoencoderKL: (source, index) => {
    const config = parseAutoencoderConfig(source);
    const side = 2 * config.scaleFactor;
    return [
      drawDecoder(config, index, 2, 2),
      ...(has(index, "encoder.") ? [drawEncoder(config, index, side, side)] : []),
    ];
  },
  AutoencoderTiny: (source, index) => {
    const config = parseTinyAutoencoderConfig(source);
    const side = 2 * config.scaleFactor;
    return [
      ...(has(index, "decoder.") ? [drawTinyDecoder(config, index, 2, 2)] : []),
      ...(has(index, "encoder.") ? [drawTinyEncoder(config, index, side, side)] : []),
    ];
  },
  CLIPModel: (source, index) => {
    const { text, image } = parseClipConfig(source);
    const state = { back: 0, finalNorm: true };
    return [drawTextEncoder(text, index, { tokens: 8, state, pooled: true }), drawImageEncoder(image, index)];
  },
  CLIPTextModel: (source, index) => drawText(source, index, false),
  CLIPTextModelWithProjection: (source, index) => drawText(source, index, true),
};

const drawText = (...[source, index, pooled]: [...Parameters<Draw>, boolean]): Graph[] => {
  const state = { back: 0, finalNorm: true };
  return [drawTextEncoder(parseTextEncoderConfig(source), index, { tokens: 8, state, pooled })];
};

/** How a component is drawn; null when its class is none that is known. */
export function drawingOf({
  className,
  config,
  configFile,
}: Component): ((index: WeightIndex) => readonly Graph[]) | null {
  const source = { file: configFile, config };
  // A judge's config has no class; its factors tell.
  const draw =
    CLASSES[className] ??
    ("factors" in config ? (s, index) => [drawClassifier(parseClassifierConfig(s), index)] : null);
  return draw && ((index) => draw(source, index));
}

/** Draws a network; shapes that do not fit together are the config's fault. @throws FileError naming the config */
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
