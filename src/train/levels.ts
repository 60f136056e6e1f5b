/** Noise levels that a model is trained at: which there are, how they are drawn, and what an error at each weighs in the loss. */
import { RequestError } from "../errors.js";
import { FAMILIES } from "../families/index.js";
import { dynamicShift, type Pair, type PlanSource, planFor } from "../generate/index.js";
import type { ImageSize } from "../models/index.js";
import {
  evenSigmas,
  type ModelName,
  type Prediction,
  parseScheduler,
  type SchedulerConfig,
  type StepRow,
  schedule,
  traitsOf,
} from "../sampling/index.js";
import type { InputOf } from "../schema/index.js";
import type { Rng } from "../tensor/index.js";
import type { loraFields, WEIGHTING_CHOICES } from "./fields.js";
import type { TrainedLevel } from "./teacher.js";

export type Weighting = (typeof WEIGHTING_CHOICES)[number];

/**
 * Weight of the squared error of the output, by the signal-to-noise ratio and the error of x0 for an error of 1 of the output. `min-snr`: an
 * error of x0 weighs min(SNR, γ), so one of ε min(SNR, γ)/SNR and one of v min(SNR, γ)/(SNR + 1) (Hang et al. 2023, arXiv 2303.09556, §3.4).
 * `debiased`: an error of ε weighs 1/√SNR, so that noisy steps, where layout is decided, count for more (Yu et al. 2023, arXiv 2310.08442).
 * `cosmap`: 2 / (π (1 − 2 σ + 2 σ²)), with levels of equal probability (Esser et al. 2024, arXiv 2403.03206, eq. 21).
 */
export const WEIGHTINGS: { readonly [W in Weighting]: (snr: number, x0Error: number, gamma: number) => number } = {
  none: () => 1,
  "min-snr": (snr, error, gamma) => Math.min(snr, gamma) * error ** 2,
  debiased: (snr, error) => Math.sqrt(snr) * error ** 2,
  "logit-normal": () => 1,
  mode: () => 1,
  cosmap(snr) {
    const sigma = 1 / (1 + Math.sqrt(snr));
    return 2 / (Math.PI * (1 - 2 * sigma + 2 * sigma ** 2));
  },
};

/** Heaviness of the tails of `mode`, as diffusers' scripts have it by default. */
const MODE_SCALE = 1.29;

/**
 * Place of a level in the table of levels, from 0 (the noisiest) to 1, as diffusers' scripts for flow matching draw it (Esser et al. 2024,
 * §3.1): the logistic function of a standard normal, or a curve with more levels in the middle. Other weightings draw evenly.
 */
const PLACES: { readonly [W in Weighting]?: (random: () => number, rng: Rng) => number } = {
  "logit-normal": (_, rng) => 1 / (1 + Math.exp(-(rng.randn([1]).data[0] ?? 0))),
  mode(random) {
    const u = random();
    return 1 - u - MODE_SCALE * (Math.cos((Math.PI * u) / 2) ** 2 - 1 + u);
  },
};

/** Weightings of models that predict ε, v or x0, and of those of flow matching. The first is the default. */
const OF_NOISE = ["debiased", "min-snr", "none"] as const satisfies readonly Weighting[];
const OF_FLOW = ["logit-normal", "mode", "cosmap", "none"] as const satisfies readonly Weighting[];
/** Weightings that draw levels evenly, as the steps of a distilled model are drawn. */
const OF_STEPS = ["none", "cosmap"] as const satisfies readonly Weighting[];

const parsedOf = ({ base }: Pick<PlanSource, "base">): SchedulerConfig =>
  parseScheduler(base.scheduler.config, base.scheduler.file);

/** Whether a pair's noise levels are those of flow matching, α = 1 − σ. */
export function isFlow(pair: Pick<PlanSource, "base">): boolean {
  const parsed = parsedOf(pair);
  return parsed.settings.use_flow_sigmas || traitsOf(parsed).levels === "flow";
}

/**
 * Weighting of a request for a pair: `debiased`, or with a γ `min-snr`; for flow matching `logit-normal`, and on a distilled model `none`.
 * @throws RequestError for a weighting that is not for the model, or a γ beside another weighting than min-snr
 */
export function weightingOf(
  pair: Pick<Pair, "base" | "family">,
  { weighting, snrGamma, on = "base" }: Pick<InputOf<typeof loraFields>, "weighting" | "snrGamma" | "on">,
): Weighting {
  if (snrGamma !== undefined && weighting !== undefined && weighting !== "min-snr")
    throw new RequestError(`--snr-gamma is that of --weighting min-snr, not of ${weighting}`);
  const asked = weighting ?? (snrGamma === undefined ? undefined : "min-snr");
  const { title } = FAMILIES[pair.family];
  const own: readonly Weighting[] = !isFlow(pair) ? OF_NOISE : on === "distilled" ? OF_STEPS : OF_FLOW;
  const [usual = "none"] = own;
  if (asked === undefined || own.includes(asked)) return asked ?? usual;
  const flag = snrGamma === undefined ? `--weighting ${asked}` : "--snr-gamma";
  const why = !isFlow(pair)
    ? `is for flow matching, which ${title} was not trained with`
    : OF_FLOW.some((w) => w === asked)
      ? "draws noise levels of the base, and a distilled model is trained at those of its own steps"
      : `is for models that predict noise, and ${title} predicts the velocity of flow matching`;
  throw new RequestError(`${flag} ${why}; expected --weighting ${own.slice(0, -1).join(", ")} or ${own.at(-1)}`);
}

/** Noise levels of a run. */
export interface TrainedLevels {
  readonly prediction: Prediction;
  /** Guidance scale, for networks that embed it. */
  readonly guidance: number;
  /** Draws the level of a sample of an image. */
  draw(size: ImageSize, random: () => number, rng: Rng): TrainedLevel;
}

/** Noise levels that a model is trained at: all training timesteps of a base, the steps of a distilled model. */
export function levelsOf(pair: Pair, on: ModelName, weighting: Weighting): TrainedLevels {
  const stepsAt = (size: ImageSize): StepRow[] =>
    planFor(pair, { mode: on, size }).rows.flatMap((row): StepRow[] => (row.kind === "step" ? [row] : []));
  const [{ prediction, guidance } = { prediction: "epsilon" as const, guidance: 0 }] = stepsAt(pair.size);
  const known = new Map<string, readonly TrainedLevel[]>();
  const levelsAt = (size: ImageSize): readonly TrainedLevel[] => {
    const key = `${size.width} × ${size.height}`;
    const found = known.get(key) ?? (on === "distilled" ? stepsAt(size).map(levelOf) : ofBase(size));
    known.set(key, found);
    return found;
  };
  function ofBase(size: ImageSize): TrainedLevel[] {
    const levels = (isFlow(pair) ? flowLevels(pair, size) : trainingLevels(pair)).filter(
      ({ level }) => level.sigma > 0 && !(prediction === "epsilon" && level.alpha === 0),
    );
    if (levels.length === 0) throw new RequestError(`${pair.base.scheduler.file} has no timesteps to train at`);
    return levels;
  }
  const place = PLACES[weighting] ?? ((random) => random());
  return {
    prediction,
    guidance,
    draw(size, random, rng) {
      const levels = levelsAt(size);
      const at = levels[Math.min(levels.length - 1, Math.max(0, Math.floor(place(random, rng) * levels.length)))];
      if (!at) throw new RangeError("there is no noise level");
      return at;
    },
  };
}

const levelOf = ({ timestep, at }: Pick<StepRow, "timestep" | "at">): TrainedLevel => ({ timestep, level: at });

/** All training timesteps of the base with their noise levels, the cleanest first. */
export function trainingLevels(pair: Pick<PlanSource, "base">): TrainedLevel[] {
  const parsed = parsedOf(pair);
  const { levelAt } = schedule(parsed, { steps: 1 }, { tokens: 1 });
  return Array.from({ length: parsed.settings.num_train_timesteps }, (_, timestep) => ({
    timestep,
    level: levelAt(timestep),
  }));
}

/**
 * Levels of flow matching for images of a size, the noisiest first: σ = 1 … 1 / 1000 with the shift of the scheduler, which may depend on the size.
 * They are those of diffusers' training scripts for a static shift. A stretch to a terminal σ belongs to sampling.
 */
export function flowLevels(pair: Pick<PlanSource, "base" | "family" | "image">, size: ImageSize): TrainedLevel[] {
  const parsed = parsedOf(pair);
  const { num_train_timesteps: count, use_flow_sigmas: ownGrid } = parsed.settings;
  const traits = traitsOf(parsed);
  const hasGrid = ownGrid || (traits.levels === "flow" && traits.grid === "angles");
  const config = { ...parsed, settings: { ...parsed.settings, shift_terminal: null } };
  const spec = hasGrid ? { steps: count } : { sigmas: evenSigmas(count, "float64") };
  const { steps } = schedule(config, spec, dynamicShift(pair, size, FAMILIES[pair.family].sampling.steps));
  return steps.map(({ at }) => ({ timestep: at.t, level: at }));
}
