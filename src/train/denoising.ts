/**
 * The denoising objective (Ho et al. 2020, arXiv 2006.11239, eq. 14): the model predicts, from an image's noisy latents and its caption, what
 * its own prediction type asks for: ε, v, x0 or the flow velocity.
 */
import { RequestError } from "../errors.js";
import { type Pair, planFor } from "../generate/index.js";
import { uniform } from "../metrics/index.js";
import {
  addNoise,
  type NoiseLevel,
  outputOf,
  type Prediction,
  parseScheduler,
  type StepRow,
  schedule,
  x0Error,
} from "../sampling/index.js";
import type { InputOf } from "../schema/index.js";
import { createRng, type FloatTensor, float, type Rng } from "../tensor/index.js";
import { epochs } from "./epochs.js";
import { bySize, drawnLatents, type Example, sizeKey, type TrainingImages } from "./examples.js";
import type { loraFields, WEIGHTING_CHOICES } from "./fields.js";
import { type Objective, trainedModel } from "./objective.js";
import type { TrainedLevel } from "./teacher.js";

/** A LoRA to train on images, and how. */
export type LoraRequest = InputOf<typeof loraFields>;

/** A sample of a batch: x_t, what the model should give for it, and its weight in the loss. */
export interface NoisySample {
  readonly xt: FloatTensor;
  readonly target: FloatTensor;
  readonly weight: number;
}

/**
 * Weight of the squared error of the output, by the signal-to-noise ratio and the error of x0 for an error of 1 of the output. `min-snr`: an
 * error of x0 weighs min(SNR, γ), so one of ε min(SNR, γ)/SNR and one of v min(SNR, γ)/(SNR + 1) (Hang et al. 2023, arXiv 2303.09556, §3.4).
 * `debiased`: an error of ε weighs 1/√SNR, so that noisy steps, where layout is decided, count for more (Yu et al. 2023, arXiv 2310.08442).
 */
export const WEIGHTINGS: {
  readonly [W in (typeof WEIGHTING_CHOICES)[number]]: (snr: number, x0Error: number, gamma: number) => number;
} = {
  none: () => 1,
  "min-snr": (snr, error, gamma) => Math.min(snr, gamma) * error ** 2,
  debiased: (snr, error) => Math.sqrt(snr) * error ** 2,
};

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
  readonly weighting?: keyof typeof WEIGHTINGS;
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
  const weighting = weightingOf(o);
  const model = trainedModel(pair, on);
  const { prediction, guidance, levels } = levelsOf(pair, on);
  const pick = epochs(bySize(examples), samples, seed);
  const pickPrior = new Map(
    bySize(priors).map((group) => [sizeKey(priors[group[0] ?? 0]), epochs([group], samples, seed)]),
  );

  /** Draws latents of an example, their noise and their level. */
  function drawn(example: Example, random: () => number, rng: Rng) {
    const x0 = drawnLatents(example, random, rng);
    const at = levels[Math.floor(random() * levels.length)];
    if (!at) throw new RangeError("there is no noise level");
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

/** Weighting of a request: `debiased`, unless it names one or a γ. @throws RequestError for a γ beside another weighting than min-snr */
export function weightingOf({ weighting, snrGamma }: Pick<LoraRequest, "weighting" | "snrGamma">) {
  if (snrGamma !== undefined && weighting !== undefined && weighting !== "min-snr")
    throw new RequestError(`--snr-gamma is that of --weighting min-snr, not of ${weighting}`);
  return weighting ?? (snrGamma === undefined ? "debiased" : "min-snr");
}

/** Noise levels that a model is trained at: all training timesteps of a base, the steps of a distilled model. */
function levelsOf(pair: Pair, on: "base" | "distilled") {
  const { rows } = planFor(pair, { mode: on });
  const steps = rows.flatMap((row): StepRow[] => (row.kind === "step" ? [row] : []));
  const [{ prediction, guidance } = { prediction: "epsilon" as const, guidance: 0 }] = steps;
  if (on === "distilled") {
    const levels = steps.map(({ timestep, at }): TrainedLevel => ({ timestep, level: at }));
    return { prediction, guidance, levels };
  }
  const levels = trainingLevels(pair).filter(
    ({ level }) => level.sigma > 0 && !(prediction === "epsilon" && level.alpha === 0),
  );
  if (levels.length === 0) throw new RequestError(`${pair.base.scheduler.file} has no timesteps to train at`);
  return { prediction, guidance, levels };
}

/** All training timesteps of the base with their noise levels. */
export function trainingLevels({ base }: Pick<Pair, "base">): TrainedLevel[] {
  const parsed = parseScheduler(base.scheduler.config, base.scheduler.file);
  const { levelAt } = schedule(parsed, { steps: 1 }, { tokens: 1 });
  return Array.from({ length: parsed.settings.num_train_timesteps }, (_, timestep) => ({
    timestep,
    level: levelAt(timestep),
  }));
}
