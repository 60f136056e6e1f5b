/** LPIPS as an instrument: distance of activations of AlexNet or VGG-16 (Zhang et al. 2018). */
import { drawLpips, trunkOf } from "../models/index.js";
import { floats, network, type Precision } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { fromRgb, type RgbImage, resizeBicubic, stack, type WeightIndex } from "../tensor/index.js";
import { type HashedFiles, type Instrument, inBatches, rows } from "./instrument.js";

/** Largest side of an image in pixels; larger images are downscaled, since the number of features grows with the image. */
const LPIPS_SIDE = 256;

/**
 * Creates an LPIPS instrument with squared Euclidean distance, from a torchvision trunk and the channel weights of the package `lpips`.
 * @throws FileError when the trunk is unknown; WeightMissingError, WeightShapeError when trunk and channel weights do not match
 */
export function createLpips(
  trunk: WeightIndex,
  heads: WeightIndex,
  hashes: HashedFiles,
  runtime: Runtime,
  precision?: Precision,
): Instrument {
  drawLpips(trunk, heads, 64, 64);
  const layers = network(
    "lpips",
    runtime,
    ({ height, width }: { height: number; width: number }, weights) => drawLpips(weights, heads, height, width),
    async () => trunk,
    { ...(precision && { precision }) },
  );
  return {
    facts: {
      name: "lpips",
      network: `LPIPS 0.1 (${trunkOf(trunk)})`,
      weights: hashes,
      preparation: `longer side to at most ${LPIPS_SIDE} (Pillow bicubic), −1…1`,
    },
    distance: "squared",
    features: (images) =>
      inBatches(
        images,
        async (some) => {
          const pixels = some.map((i) => fromRgb(atMost(i, LPIPS_SIDE)));
          const [, , height = 0, width = 0] = pixels[0]?.shape ?? [];
          return rows(floats((await layers.run({ height, width }, { image: stack(pixels) })).outputs["features"])).map(
            (f) => f.slice(),
          );
        },
        4,
      ),
  };
}

/** Downscales an image so that its longer side is at most `side`. */
function atMost(image: RgbImage, side: number): RgbImage {
  const by = side / Math.max(image.width, image.height);
  if (by >= 1) return image;
  return resizeBicubic(image, Math.max(1, Math.round(image.width * by)), Math.max(1, Math.round(image.height * by)));
}
