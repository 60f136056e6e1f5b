/** LPIPS as an instrument: distance of the activations of AlexNet or VGG-16 (Zhang et al. 2018). */
import { drawLpips, trunkOf } from "../models/index.js";
import { floats, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { fromRgb, type RgbImage, resizeBicubic, stack, type WeightIndex } from "../tensor/index.js";
import { type HashedFiles, type Instrument, inBatches, rows } from "./instrument.js";

/** Larger images are resized for LPIPS: its features grow with every pixel. */
const LPIPS_SIDE = 256;

/** LPIPS from torchvision's trunk and the package's weights of layers. @throws RangeError when they do not fit together */
export function createLpips(trunk: WeightIndex, heads: WeightIndex, hashes: HashedFiles, runtime: Runtime): Instrument {
  drawLpips(trunk, heads, 64, 64);
  const layers = network(
    "lpips",
    runtime,
    ({ height, width }: { height: number; width: number }, weights) => drawLpips(weights, heads, height, width),
    async () => trunk,
  );
  return {
    facts: {
      name: "lpips",
      network: `LPIPS 0.1 (${trunkOf(trunk)})`,
      weights: hashes,
      preparation: `as it is up to ${LPIPS_SIDE} pixels, longer sides to ${LPIPS_SIDE} (Pillow bicubic), −1…1`,
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

/** The image, its longer side at most `side`. */
function atMost(image: RgbImage, side: number): RgbImage {
  const by = side / Math.max(image.width, image.height);
  if (by >= 1) return image;
  return resizeBicubic(image, Math.max(1, Math.round(image.width * by)), Math.max(1, Math.round(image.height * by)));
}
