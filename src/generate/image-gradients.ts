/** Pulls forces on CLIP features of decoded images back to latents: through CLIP's image tower, its preprocessing and the decoder. */
import { decodeLatents, decoderBatch, decoderLatents, type LatentSize, latentGradient } from "../decode/index.js";
import { RequestError } from "../errors.js";
import type { ImageSize, ImageTower } from "../models/index.js";
import { openPullback, type Pullback } from "../networks/index.js";
import { combine, type FeaturePull } from "../sampling/index.js";
import {
  type FloatTensor,
  float,
  formatBytes,
  fromRgb,
  type RgbImage,
  resizeAndCrop,
  resizeAndCropTransposed,
  sample,
  stack,
} from "../tensor/index.js";
import type { Pair } from "./pair.js";

export interface ImageGradients {
  readonly pull: FeaturePull;
  /** Releases the sessions. */
  release(): Promise<void>;
}

/** Share of the memory budget that the decoder's gradient may take; the rest is for the networks of the run. */
const SHARE = 1 / 2;

/**
 * Opens the gradients for images of a size. Loads no session. Clipping and rounding of images to 8 bits is left out of the gradient.
 * @throws RequestError without a CLIP, and where the decoder's gradient does not fit the memory budget
 */
export async function openImageGradients(
  { clip, decoder, engine, base }: Pair,
  size: ImageSize,
): Promise<ImageGradients> {
  const reader = await clip();
  if (!reader) {
    throw refusal("needs a CLIP, and the pair names none: name a CLIPModel with --clip, or leave out space=clip");
  }
  const { tower } = reader;
  const on = { runtime: engine.runtime, upcast: engine.upcast, stack: null };
  const reading = openPullback<"image">({
    ...{ ...on, weights: tower.weights, of: "image_embeds", to: "image" },
    draw: (_, index) => tower.draw(index),
  });
  const shape = base.denoiser.latents(size);
  const [, , height = 1, width = 1] = shape;
  const through = { ...on, weights: decoder.weights, draw: decoder.draw, of: "image", to: "latents" };
  const needs = (pullback: Pullback<LatentSize>) => pullback.workingBytes({ height, width }, { latents: float(shape) });
  const most = SHARE * engine.memoryBudget;
  const kept = openPullback(through);
  const decoding = (await needs(kept)) <= most ? kept : openPullback({ ...through, recompute: true });
  const needed = await needs(decoding);
  if (needed > most) {
    throw refusal(
      `needs ${formatBytes(needed)} for the gradient of the decoder at ${size.width} × ${size.height}, above half of the memory budget of ${formatBytes(engine.memoryBudget)}; name a small decoder (--decoder) or a smaller size, or leave out space=clip`,
    );
  }
  return {
    async pull(x0, forces) {
      const images = await decodeLatents(decoder, stack(x0), engine);
      const features = await reader.images(images);
      const units = features.map((f) =>
        float(
          [f.length],
          f.map((v) => v / lengthOf(f)),
        ),
      );
      const cotangents = forces(units).map((force, i) => throughLength(force, units[i] ?? force, features[i]));
      const together = decoderBatch(decoder, { height, width });
      const gradients: FloatTensor[] = [];
      for (let at = 0; at < x0.length; at += together) {
        const some = images.slice(at, at + together);
        const towardsEmbeddings = stack(
          cotangents.slice(at, at + together).map((c) => float([1, c.data.length], c.data)),
        );
        const image = stack(some.map((each) => fromRgb(resizeAndCrop(each, tower.size), tower.mean, tower.std)));
        const towardsInput = await reading.run("image", { image }, towardsEmbeddings);
        const towardsImage = stack(some.map((each, i) => throughPreparation(sample(towardsInput, i), each, tower)));
        const latents = decoderLatents(decoder, stack(x0.slice(at, at + together)));
        const towards = latentGradient(decoder, await decoding.run({ height, width }, { latents }, towardsImage));
        gradients.push(...some.map((_, i) => sample(towards, i)));
      }
      return gradients;
    },
    async release() {
      await decoding.release();
      await reading.release();
    },
  };
}

const refusal = (text: string) => new RequestError(`--diversity particles:space=clip ${text}`, { field: "diversity" });

/** Gradient towards a feature f, from that towards f / |f|: (g − (g · u) u) / |f|. */
function throughLength(gradient: FloatTensor, unit: FloatTensor, feature = unit.data): FloatTensor {
  const along = gradient.data.reduce((sum, v, i) => sum + v * (unit.data[i] ?? 0), 0);
  const length = lengthOf(feature);
  return combine([1 / length, gradient], [-along / length, unit]);
}

/** Gradient towards the decoder's output in −1…1, from that towards the tower's input, both [1, 3, H, W]. */
function throughPreparation(
  gradient: FloatTensor,
  { width, height }: RgbImage,
  { size, std }: ImageTower,
): FloatTensor {
  const plane = size * size;
  // The input is (v − mean) / std of v in 0…1, which is half of the decoder's output and 1/2.
  const values = gradient.data.map((v, i) => v / (2 * (std[Math.floor(i / plane)] ?? 1)));
  return resizeAndCropTransposed(float(gradient.shape, values), width, height);
}

const lengthOf = (v: Float32Array): number =>
  Math.max(Math.sqrt(v.reduce((sum, x) => sum + x * x, 0)), Number.MIN_VALUE);
