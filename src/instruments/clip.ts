/** CLIP as an instrument: images and texts as vectors of one space (Radford et al. 2021). */
import {
  drawImageEncoder,
  drawTextEncoder,
  type ImageEncoderConfig,
  pooledIndex,
  type TextEncoderConfig,
} from "../models/index.js";
import { floats, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { fromRgb, int, type RgbImage, resizeAndCrop, stack, type WeightIndex } from "../tensor/index.js";
import { inBatches, rows } from "./instrument.js";

/** Parts of a CLIPModel folder. */
export interface ClipParts {
  readonly text: TextEncoderConfig;
  readonly image: ImageEncoderConfig;
  readonly tokenizer: {
    /** Length of an encoded text. */
    readonly maxLength: number;
    encode(text: string): { readonly ids: readonly number[] };
  };
  readonly weights: () => Promise<WeightIndex>;
  /** preprocessor_config.json. */
  readonly preparation: ClipPreparation;
}

export interface ClipPreparation {
  readonly image_mean: readonly [number, number, number];
  readonly image_std: readonly [number, number, number];
}

export interface ClipScorer {
  /** Its weights, for saying what was measured with. */
  readonly index: () => Promise<WeightIndex>;
  readonly preparation: string;
  /** [P] for each image. */
  images(images: readonly RgbImage[]): Promise<Float32Array[]>;
  /** [P]. */
  text(prompt: string): Promise<Float32Array>;
}

/** CLIP from the parts of a CLIPModel folder. */
export function createClip(
  { text, image, tokenizer, weights, preparation: prepare }: ClipParts,
  runtime: Runtime,
): ClipScorer {
  const imageTower = network("clip image", runtime, (_: "image", index) => drawImageEncoder(image, index), weights);
  const shape = { tokens: tokenizer.maxLength, state: { back: 0, finalNorm: true }, pooled: true };
  const textTower = network("clip text", runtime, (_: "text", index) => drawTextEncoder(text, index, shape), weights);
  return {
    index: weights,
    preparation: `shorter side to ${image.imageSize} (Pillow bicubic), middle ${image.imageSize} × ${image.imageSize}, mean ${prepare.image_mean.join(" ")}, deviation ${prepare.image_std.join(" ")}`,
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
