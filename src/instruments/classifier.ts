import { drawJudge, type JudgeConfig } from "../models/index.js";
import { floats, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { fromRgb, type RgbImage, resizeBicubic, stack, type WeightIndex } from "../tensor/index.js";
import { inBatches, rows } from "./instrument.js";

/** Value of every factor. */
export type Factors = Readonly<Record<string, string | number>>;

/** What the judge says of a picture. */
export interface Judged {
  readonly factors: Factors;
  /** The numbers it reads beside the factors, such as how much a face smiles. */
  readonly measured: Readonly<Record<string, number>>;
  readonly features: Float32Array;
}

export interface JudgeReader {
  readonly index: () => Promise<WeightIndex>;
  readonly preparation: string;
  readonly config: JudgeConfig;
  read(images: readonly RgbImage[]): Promise<Judged[]>;
}

/** The classifier of attributes from its config and weights. */
export function createJudge(config: JudgeConfig, weights: () => Promise<WeightIndex>, runtime: Runtime): JudgeReader {
  const classifier = network("judge", runtime, (_: "judge", index) => drawJudge(config, index), weights);
  return {
    index: weights,
    preparation: `${config.image_size} × ${config.image_size} (Pillow bicubic), −1…1`,
    config,
    read: (images) =>
      inBatches(images, async (some) => {
        const pixels = some.map((i) => fromRgb(resizeBicubic(i, config.image_size, config.image_size)));
        const { outputs } = await classifier.run("judge", { image: stack(pixels) });
        const features = rows(floats(outputs["features"]));
        return rows(floats(outputs["logits"])).map((logits, i) => ({
          factors: likeliest(config, logits),
          measured: measuredBy(config, logits),
          features: features[i] ?? new Float32Array(),
        }));
      }),
  };
}

/** The numbers that follow the logits. */
const measuredBy = ({ regress }: JudgeConfig, logits: Float32Array): Readonly<Record<string, number>> =>
  Object.fromEntries(regress.map((name, i) => [name, logits[logits.length - regress.length + i] ?? Number.NaN]));

/** The value of each factor with the largest logit. */
function likeliest(config: JudgeConfig, logits: Float32Array): Factors {
  let at = 0;
  return Object.fromEntries(
    Object.entries(config.factors).map(([name, values]) => {
      const here = logits.subarray(at, at + values.length);
      at += values.length;
      return [name, values[here.indexOf(Math.max(...here))] ?? ""];
    }),
  );
}
