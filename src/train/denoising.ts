/**
 * The denoising objective (Ho et al. 2020, arXiv 2006.11239, eq. 14): the model predicts, from an image's noisy latents and its caption, what
 * its own prediction type asks for: ε, v, x0 or the flow velocity.
 */
import type { Pair } from "../generate/index.js";
import { uniform } from "../metrics/index.js";
import { addNoise, type NoiseLevel, outputOf, type Prediction, x0Error } from "../sampling/index.js";
import type { InputOf } from "../schema/index.js";
import { createRng, type FloatTensor, float, type Rng } from "../tensor/index.js";
import { epochs } from "./epochs.js";
import { bySize, drawnLatents, type Example, sizeKey, type TrainingImages } from "./examples.js";
import type { loraFields } from "./fields.js";
import { levelsOf, WEIGHTINGS, type Weighting, weightingOf } from "./levels.js";
import { type Objective, trainedModel } from "./objective.js";

/** A LoRA to train on images, and how. */
export type LoraRequest = InputOf<typeof loraFields>;

/** A sample of a batch: x_t, what the model should give for it, and its weight in the loss. */
export interface NoisySample {
  readonly xt: FloatTensor;
  readonly target: FloatTensor;
  readonly weight: number;
}

/** γ of `min-snr`, as in the paper. */
const GAMMA = 5;

/** A noisy sample of x0 [1, C, h, w] with the noise ε of the same shape. */
export function noisySample(
  x0: FloatTensor,
  eps: FloatTensor,
  { level, prediction, weighting = "none", gamma = GAMMA }: NoiseOptions,
): NoisySample {
  const snr = (level.alpha / level.sigma) ** 2;
  const weight = WEIGHTINGS[weighting](snr, x0Error(prediction, level), gamma);
  return { xt: addNoise(x0, eps, level), target: outputOf(prediction, level, x0, eps), weight };
}

export interface NoiseOptions {
  readonly level: NoiseLevel;
  readonly prediction: Prediction;
  /** Default "none". */
  readonly weighting?: Weighting;
  /** γ of "min-snr". Default 5. */
  readonly gamma?: number;
}

/** Noise ε, with an offset of each channel that all its pixels share (N. Guttenberg 2023, "Diffusion with Offset Noise"). */
export function offsetNoise(rng: Rng, shape: readonly number[], offset: number): FloatTensor {
  const eps = rng.randn(shape);
  if (offset === 0) return eps;
  const [, channels = 1, height = 1, width = 1] = shape;
  const { data } = rng.randn([channels]);
  return float(
    shape,
    eps.data.map((v, i) => v + offset * (data[Math.floor(i / (height * width))] ?? 0)),
  );
}

/**
 * Prepares the objective. With images of the class each batch has as many of them again, whose loss has the weight `priorWeight`
 * (DreamBooth, Ruiz et al. 2023, arXiv 2208.12242, eq. 2).
 * @throws RequestError for a model that cannot be trained
 */
export function denoising(pair: Pair, { examples, priors }: TrainingImages, o: LoraRequest): Objective {
  const { on = "base", batch: samples = 4, seed = 0, noiseOffset = 0, priorWeight = 1, snrGamma: gamma } = o;
  const weighting = weightingOf(pair, o);
  const model = trainedModel(pair, on);
  const { prediction, guidance, draw } = levelsOf(pair, on, weighting);
  const pick = epochs(bySize(examples), samples, seed);
  const pickPrior = new Map(
    bySize(priors).map((group) => [sizeKey(priors[group[0] ?? 0]), epochs([group], samples, seed)]),
  );

  /** Draws latents of an example, their noise and their level. */
  function drawn(example: Example, random: () => number, rng: Rng) {
    const x0 = drawnLatents(example, random, rng);
    const at = draw(example.size, random, rng);
    const eps = offsetNoise(rng, x0.shape, noiseOffset);
    return {
      timestep: at.timestep,
      ...noisySample(x0, eps, { level: at.level, prediction, weighting, ...(gamma && { gamma }) }),
    };
  }

  return {
    model,
    async batch(update) {
      const [random, rng] = [uniform((seed + 1) * 7919 + update), createRng((seed + 1) * 1_000_003 + update)];
      const own = pick(update).flatMap((i) => examples[i] ?? []);
      const kept =
        pickPrior
          .get(sizeKey(own[0]))?.(update)
          .flatMap((i) => priors[i] ?? []) ?? [];
      const all = [...own, ...kept];
      const made = all.map((example) => drawn(example, random, rng));
      // The loss is the mean of each half, not of both.
      const halves = kept.length > 0 ? 2 : 1;
      const [first] = own;
      if (!first) throw new RangeError("there are no images");
      return {
        latents: made.map((m) => m.xt),
        timestep: made.map((m) => m.timestep),
        conditioning: all.map((e) => e.conditioning),
        guidance,
        size: first.size,
        targets: made.map((m) => m.target),
        // The model's own images keep their plain loss, as in diffusers' trainer.
        weights: made.map((m, i) => halves * (i < own.length ? m.weight : priorWeight)),
        scale: 1,
      };
    },
  };
}
