/** Attribute classifier as an instrument: predicts attributes of images from a domain in which they are known exactly. */
import { softmax } from "../metrics/index.js";
import { type ClassifierConfig, drawClassifier } from "../models/index.js";
import { floats, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { fromRgb, type RgbImage, resizeBicubic, stack, type WeightIndex } from "../tensor/index.js";
import { inBatches, rows } from "./instrument.js";

/** Values of attributes by name. */
export type AttributeValues = Readonly<Record<string, string | number>>;

/** Probabilities of the values of attributes by name, in the order of the values. */
export type AttributeProbabilities = Readonly<Record<string, readonly number[]>>;

/** Predictions for one image. */
export interface Classified {
  /** Most likely value of each attribute. */
  readonly attributes: AttributeValues;
  readonly probabilities: AttributeProbabilities;
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
          ...attributesIn(config, logits),
          numbers: regressed(config, logits),
          features: features[i] ?? new Float32Array(),
        }));
      }),
  };
}

/** Regressed numbers, which follow the logits. */
const regressed = ({ regress }: ClassifierConfig, logits: Float32Array): Readonly<Record<string, number>> =>
  Object.fromEntries(regress.map((name, i) => [name, logits[logits.length - regress.length + i] ?? Number.NaN]));

/** Probabilities and most likely value of each attribute. */
function attributesIn(
  config: ClassifierConfig,
  logits: Float32Array,
): Pick<Classified, "attributes" | "probabilities"> {
  let at = 0;
  const own = Object.entries(config.factors).map(([name, values]) => {
    const here = logits.subarray(at, at + values.length);
    at += values.length;
    return { name, value: values[here.indexOf(Math.max(...here))] ?? "", p: softmax(here) };
  });
  return {
    attributes: Object.fromEntries(own.map(({ name, value }) => [name, value])),
    probabilities: Object.fromEntries(own.map(({ name, p }) => [name, p])),
  };
}
