/**
 * Supervision of a distilled model's first step by the base (DP-DMD, Wu et al. 2026, arXiv 2602.03139): it learns the mean velocity of the first
 * steps of the base's own run from the same noise, so that what these steps decide stays decided by the noise.
 */
import { cleanWeights, combine, noisier, type Prediction } from "../sampling/index.js";
import type { FloatTensor } from "../tensor/index.js";
import { cleanOf, type NoisyBatch, type Predict, type TrainedLevel } from "./teacher.js";

/** Weight of its loss beside distribution matching's, and the number of the base's steps: defaults of DP-DMD's program, whose published command takes 10. */
export const FIRST_STEP = { weight: 0.05, anchor: 5, of: 30 } as const;

/**
 * The first steps of the base's deterministic run from the student's first level: `anchor` + 1 of the levels of `of` even steps.
 * @param levels training levels, the cleanest first
 */
export function anchorLevels(
  first: TrainedLevel,
  levels: readonly TrainedLevel[],
  { anchor, of }: { readonly anchor: number; readonly of: number },
): TrainedLevel[] {
  const below = levels.filter(({ level }) => !noisier(level, first.level)).length;
  const later = Array.from({ length: anchor }).flatMap(
    (_, i) => levels[Math.max(0, Math.round((below * (of - i - 1)) / of) - 1)] ?? [],
  );
  return [first, ...later];
}

/** Latents of the base after the steps between levels, from the initial noise. */
export async function anchorLatents(
  teacher: Predict,
  prediction: Prediction,
  { latents, conditioning }: Pick<NoisyBatch, "latents" | "conditioning">,
  levels: readonly TrainedLevel[],
): Promise<readonly FloatTensor[]> {
  let states = latents;
  for (const [i, at] of levels.entries()) {
    const to = levels[i + 1]?.level;
    if (!to) break;
    const clean = await cleanOf(teacher, prediction, { latents: states, conditioning, at: states.map(() => at) });
    states = clean.map(({ x0, eps }) => combine([to.alpha, x0], [to.sigma, eps]));
  }
  return states;
}

/**
 * Target of the student's output at its first level, and the weight of its squared error.
 *
 * With x̃ = x / (α + σ) and s = σ / (α + σ), which turn any schedule into a flow, the base's mean velocity is v = (x̃ − x̃_K) / (s − s_K), and the
 * student's x̃ − s v is its x0. The loss is `weight` · mean (v_student − v)².
 */
export function firstStepTarget(
  prediction: Prediction,
  { level }: TrainedLevel,
  { level: end }: TrainedLevel,
  [xt, reached]: readonly [FloatTensor, FloatTensor],
  weight: number,
): { readonly target: FloatTensor; readonly weight: number } {
  const [size, sizeEnd] = [level.alpha + level.sigma, end.alpha + end.sigma];
  const [s, sEnd] = [level.sigma / size, end.sigma / sizeEnd];
  const far = s / (s - sEnd);
  const x0 = combine([(1 - far) / size, xt], [far / sizeEnd, reached]);
  const own = cleanWeights(prediction, level);
  return {
    target: combine([1 / own.output, x0], [-own.xt / own.output, xt]),
    weight: weight * (own.output / s) ** 2,
  };
}
