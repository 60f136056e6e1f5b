/** CLIP as an instrument: pictures and texts as vectors of one space, from a CLIPModel folder. */
import { z } from "zod";
import { openComponentFolder, readJson } from "../checkpoint/index.js";
import { RequestError } from "../errors.js";
import { locate, type Sources } from "../lookup/index.js";
import { drawImageEncoder, drawTextEncoder, parseClipConfig, pooledIndex } from "../models/index.js";
import { network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import {
  type FloatTensor,
  fromRgb,
  int,
  type RgbImage,
  resizeAndCrop,
  sample,
  stack,
  type WeightIndex,
} from "../tensor/index.js";
import { createTokenizer, floats } from "../text/index.js";

const preparationSchema = z.object({
  image_mean: z.tuple([z.number(), z.number(), z.number()]).default([0.48145466, 0.4578275, 0.40821073]),
  image_std: z.tuple([z.number(), z.number(), z.number()]).default([0.26862954, 0.26130258, 0.27577711]),
});

export interface ClipScorer {
  /** Its weights, for saying what was measured with. */
  readonly index: () => Promise<WeightIndex>;
  readonly preparation: string;
  /** [P] for each picture. */
  images(images: readonly RgbImage[]): Promise<Float32Array[]>;
  /** [P]. */
  text(prompt: string): Promise<Float32Array>;
}

/** Opens a CLIPModel folder. @throws RequestError when it is another model, FileError when it cannot be read */
export async function openClip(ref: string, runtime: Runtime, sources: Sources = {}): Promise<ClipScorer> {
  const folder = await openComponentFolder(await locate(ref, "clip", sources));
  const { config, configFile: file } = folder;
  if (config["model_type"] !== "clip") {
    throw new RequestError(
      `--clip ${ref} is not a CLIPModel folder: its config says model_type ${JSON.stringify(config["model_type"])}`,
    );
  }
  if (!folder.tokenizer) throw new RequestError(`--clip ${ref} has no tokenizer beside its weights`);
  const { text, image } = parseClipConfig({ file, config });
  const tokenizer = createTokenizer(folder.tokenizer, text.positions);
  const prepare = preparationSchema.parse(
    (await readJson(`${folder.folder}/preprocessor_config.json`, { optional: true })) ?? {},
  );
  const imageTower = network(
    "clip image",
    runtime,
    (_: "image", index) => drawImageEncoder(image, index),
    folder.weights,
  );
  const shape = { tokens: tokenizer.maxLength, state: { back: 0, finalNorm: true }, pooled: true };
  const textTower = network(
    "clip text",
    runtime,
    (_: "text", index) => drawTextEncoder(text, index, shape),
    folder.weights,
  );
  return {
    index: folder.weights,
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

/** Pictures that one call of a measuring network takes. */
const TOGETHER = 32;

/** Runs over `images` so many at a time, results in order. */
export async function inBatches<T>(
  images: readonly RgbImage[],
  run: (some: readonly RgbImage[]) => Promise<T[]>,
  together = TOGETHER,
): Promise<T[]> {
  const all: T[] = [];
  for (let at = 0; at < images.length; at += together) all.push(...(await run(images.slice(at, at + together))));
  return all;
}

/** x [B, D] → B rows. */
export const rows = (x: FloatTensor): Float32Array[] =>
  Array.from({ length: x.shape[0] ?? 0 }, (_, i) => sample(x, i).data);
