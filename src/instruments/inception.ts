/** Inception-v3 as an instrument: features for FID (Heusel et al. 2017) and logits for the Inception score (Salimans et al. 2016). */
import { drawInception, INCEPTION_SIDE } from "../models/index.js";
import { floats, network, type Precision } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import {
  type FloatTensor,
  float,
  type RgbImage,
  resizeBicubicFloat,
  resizeBilinearTensorflow,
  stack,
} from "../tensor/index.js";
import type { InstrumentWeights } from "./dino.js";
import { type InstrumentFacts, inBatches, rows } from "./instrument.js";

/** Computes Inception features and class logits. */
export interface InceptionInstrument {
  readonly facts: InstrumentFacts;
  /** Features [2048] and logits [1008] of each image, in order. */
  read(images: readonly RgbImage[]): Promise<{ features: Float32Array; logits: Float32Array }[]>;
}

/** Resizing of images: as in the TensorFlow implementation of FID, or antialiased as in clean-fid (Parmar et al. 2022). */
export type FidPreparation = "tensorflow" | "clean";

/**
 * Creates an Inception-v3 instrument from the weights of pytorch-fid or torch-fidelity.
 * @param preparation default "tensorflow"
 * @throws WeightMissingError, WeightShapeError when the weights belong to another network
 */
export function createInception(
  { index, hashes }: InstrumentWeights,
  runtime: Runtime,
  preparation: FidPreparation = "tensorflow",
  precision?: Precision,
): InceptionInstrument {
  drawInception(index);
  const net = network(
    "inception",
    runtime,
    (_: "inception", weights) => drawInception(weights),
    async () => index,
    { ...(precision && { precision }) },
  );
  return {
    facts: {
      name: "inception",
      network: "Inception-v3 (TensorFlow 2015-12-05)",
      weights: hashes,
      preparation:
        preparation === "clean"
          ? "299 × 299 (clean-fid: Pillow bicubic without rounding), (x − 128) / 128"
          : "299 × 299 (TensorFlow 1 bilinear), (x − 128) / 128",
    },
    read: (images) =>
      inBatches(
        images,
        async (some) => {
          const { outputs } = await net.run("inception", {
            image: stack(some.map((i) => inceptionInput(i, preparation))),
          });
          const logits = rows(floats(outputs["logits"]));
          return rows(floats(outputs["features"])).map((features, i) => ({
            features,
            logits: logits[i] ?? new Float32Array(),
          }));
        },
        16,
      ),
  };
}

/** Image → network input [1, 3, 299, 299], −1…1. */
function inceptionInput(image: RgbImage, preparation: FidPreparation): FloatTensor {
  const resize = preparation === "clean" ? resizeBicubicFloat : resizeBilinearTensorflow;
  const { shape, data } = resize(image, INCEPTION_SIDE, INCEPTION_SIDE);
  return float(
    shape,
    data.map((v) => (v - 128) / 128),
  );
}
