/** Attribute classifier as an instrument: predicts attributes of images from a domain in which they are known exactly. */
import { type ClassifierConfig, drawClassifier } from "../models/index.js";
import { floats, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { fromRgb, type RgbImage, resizeBicubic, stack, type WeightIndex } from "../tensor/index.js";
import { inBatches, rows } from "./instrument.js";

/** Values of attributes by name. */
export type AttributeValues = Readonly<Record<string, string | number>>;

/** Predictions for one image. */
export interface Classified {
  readonly attributes: AttributeValues;
  /** Regressed numbers by name, such as the strength of a smile. */
  readonly numbers: Readonly<Record<string, number>>;
  /** Input of the last layer, [D]. */
  readonly features: Float32Array;
}

/** Predicts the attributes of images. */
export interface AttributeClassifier {
  /** Weights, for provenance in reports. */
  readonly index: () => Promise<WeightIndex>;
  /** Preprocessing of images, in words. */
  readonly preparation: string;
  readonly config: ClassifierConfig;
  /** Predictions in the order of the images, which may have any size. */
  classify(images: readonly RgbImage[]): Promise<Classified[]>;
}

/** Creates a classifier from its config and weights. */
export function createClassifier(
  config: ClassifierConfig,
  weights: () => Promise<WeightIndex>,
  runtime: Runtime,
): AttributeClassifier {
  const classifier = network("classifier", runtime, (_: "classifier", index) => drawClassifier(config, index), weights);
  return {
    index: weights,
    preparation: `${config.image_size} × ${config.image_size} (Pillow bicubic), −1…1`,
    config,
    classify: (images) =>
      inBatches(images, async (some) => {
        const pixels = some.map((i) => fromRgb(resizeBicubic(i, config.image_size, config.image_size)));
        const { outputs } = await classifier.run("classifier", { image: stack(pixels) });
        const features = rows(floats(outputs["features"]));
        return rows(floats(outputs["logits"])).map((logits, i) => ({
          attributes: likeliest(config, logits),
          numbers: regressed(config, logits),
          features: features[i] ?? new Float32Array(),
        }));
      }),
  };
}

/** Regressed numbers, which follow the logits. */
const regressed = ({ regress }: ClassifierConfig, logits: Float32Array): Readonly<Record<string, number>> =>
  Object.fromEntries(regress.map((name, i) => [name, logits[logits.length - regress.length + i] ?? Number.NaN]));

/** Most likely value of each attribute. */
function likeliest(config: ClassifierConfig, logits: Float32Array): AttributeValues {
  let at = 0;
  return Object.fromEntries(
    Object.entries(config.factors).map(([name, values]) => {
      const here = logits.subarray(at, at + values.length);
      at += values.length;
      return [name, values[here.indexOf(Math.max(...here))] ?? ""];
    }),
  );
}
