/** CLIP as an instrument: embeddings of images and texts in one space (Radford et al. 2021). */
import {
  drawImageEncoder,
  drawTextEncoder,
  type ImageEncoderConfig,
  type ImageTower,
  pooledIndex,
  type TextEncoderConfig,
} from "../models/index.js";
import { floats, network, type Precision } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { fromRgb, int, type RgbImage, resizeAndCrop, stack, type WeightIndex } from "../tensor/index.js";
import { inBatches, rows } from "./instrument.js";

/** Contents of a CLIPModel folder. */
export interface ClipParts {
  readonly text: TextEncoderConfig;
  readonly image: ImageEncoderConfig;
  readonly tokenizer: {
    /** Length of an encoded text in tokens. */
    readonly maxLength: number;
    encode(text: string): { readonly ids: readonly number[] };
  };
  readonly weights: () => Promise<WeightIndex>;
  /** Factor of cosines in the softmax that the model was trained with, exp of the tensor `logit_scale`. */
  readonly logitScale: () => Promise<number>;
  readonly preparation: ClipPreparation;
}

/** Normalisation of images, from preprocessor_config.json. */
export interface ClipPreparation {
  readonly image_mean: readonly [number, number, number];
  readonly image_std: readonly [number, number, number];
}

/** Computes CLIP embeddings. They are not normalised. */
export interface ClipScorer {
  /** Weights, for provenance in reports. */
  readonly index: () => Promise<WeightIndex>;
  /** Preprocessing of images, in words. */
  readonly preparation: string;
  /** Factor of cosines in the softmax that the model was trained with: its inverse temperature. */
  readonly logitScale: () => Promise<number>;
  readonly tower: ImageTower;
  /** Embeddings of images, [P] each, in order. */
  images(images: readonly RgbImage[]): Promise<Float32Array[]>;
  /** Embedding of a text, [P]. */
  text(prompt: string): Promise<Float32Array>;
}

/** Creates a scorer from the contents of a CLIPModel folder. `precision` is that of its image tower; texts are encoded in float32. */
export function createClip(
  { text, image, tokenizer, weights, logitScale, preparation: prepare }: ClipParts,
  runtime: Runtime,
  precision?: Precision,
): ClipScorer {
  const imageTower = network("clip image", runtime, (_: "image", index) => drawImageEncoder(image, index), weights, {
    ...(precision && { precision }),
  });
  const shape = { tokens: tokenizer.maxLength, state: { back: 0, finalNorm: true }, pooled: true };
  const textTower = network("clip text", runtime, (_: "text", index) => drawTextEncoder(text, index, shape), weights);
  return {
    index: weights,
    logitScale,
    tower: {
      ...{ size: image.imageSize, mean: prepare.image_mean, std: prepare.image_std, weights },
      draw: (index) => drawImageEncoder(image, index),
    },
    preparation: `shorter side to ${image.imageSize} (Pillow bicubic), centre crop ${image.imageSize} × ${image.imageSize}, mean ${prepare.image_mean.join(" ")}, std ${prepare.image_std.join(" ")}`,
    async text(prompt) {
      const { ids } = tokenizer.encode(prompt);
      const { outputs } = await textTower.run("text", {
        input_ids: int([1, ids.length], ids),
        pooled_index: int([1], [pooledIndex(ids, text.eosToken)]),
      });
      return floats(outputs["text_embeds"]).data;
    },
    images: (images) =>
      inBatches(images, async (some) => {
        const pixels = some.map((i) =>
          fromRgb(resizeAndCrop(i, image.imageSize), prepare.image_mean, prepare.image_std),
        );
        return rows(floats((await imageTower.run("image", { image: stack(pixels) })).outputs["image_embeds"]));
      }),
  };
}
