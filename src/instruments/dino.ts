/** DINO and DINOv2 as instruments: the class token of a vision transformer (Caron et al. 2021, Oquab et al. 2023). */
import { drawVit, type VitConfig } from "../models/index.js";
import { floats, network, type Precision } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { fromRgb, type RgbImage, resizeAndCrop, stack, type WeightIndex } from "../tensor/index.js";
import { type HashedFiles, type Instrument, inBatches, rows } from "./instrument.js";

/** Weights of an instrument, and hashes of their files. */
export interface InstrumentWeights {
  readonly index: WeightIndex;
  readonly hashes: HashedFiles;
}

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/**
 * Creates a DINO or DINOv2 instrument with cosine distance.
 * @param name class of the network, for reports
 * @throws WeightMissingError, WeightShapeError when the weights belong to another network
 */
export function createDino(
  { index, hashes }: InstrumentWeights,
  config: VitConfig,
  name: string,
  runtime: Runtime,
  precision?: Precision,
): Instrument {
  const side = config.imageSize;
  // Builds the graph once to check the weights before any image is read.
  drawVit(config, index);
  const tower = network(
    "dino",
    runtime,
    (_: "dino", weights) => drawVit(config, weights),
    async () => index,
    { ...(precision && { precision }) },
  );
  return {
    facts: {
      name: "dino",
      network: name,
      weights: hashes,
      preparation: `shorter side to 256 (Pillow bicubic), centre crop ${side} × ${side}, ImageNet mean and std`,
    },
    distance: "cosine",
    features: (images) =>
      inBatches(images, async (some) => {
        const pixels = some.map((i) => fromRgb(cropped(i, 256, side), IMAGENET.mean, IMAGENET.std));
        return rows(floats((await tower.run("dino", { image: stack(pixels) })).outputs["features"]));
      }),
  };
}

/** Resizes the shorter side to `size`, then takes the centre crop `side` × `side`. */
function cropped(image: RgbImage, size: number, side: number): RgbImage {
  const square = resizeAndCrop(image, size);
  const margin = Math.floor((size - side) / 2);
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const from = ((margin + y) * size + margin) * 3;
    data.set(square.data.subarray(from, from + side * 3), y * side * 3);
  }
  return { width: side, height: side, data };
}
