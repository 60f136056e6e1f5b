/** The attribute classifier as an instrument: predicts the attributes of images of a world whose attributes are known. */
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
  /** Numbers predicted beside the attributes, such as how much a face smiles. */
  readonly numbers: Readonly<Record<string, number>>;
  /** [D]. */
  readonly features: Float32Array;
}

export interface AttributeClassifier {
  readonly index: () => Promise<WeightIndex>;
  readonly preparation: string;
  readonly config: ClassifierConfig;
  classify(images: readonly RgbImage[]): Promise<Classified[]>;
}

/** The classifier of attributes from its config and weights. */
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

/** The numbers that follow the logits. */
const regressed = ({ regress }: ClassifierConfig, logits: Float32Array): Readonly<Record<string, number>> =>
  Object.fromEntries(regress.map((name, i) => [name, logits[logits.length - regress.length + i] ?? Number.NaN]));

/** The value of each attribute with the largest logit. */
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
