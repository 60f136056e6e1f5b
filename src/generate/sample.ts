/** Samples of a run: prompt, seed, latents and solver state. */
import type { Conditioning } from "../models/index.js";
import type { ModelName, SolverState } from "../sampling/index.js";
import type { FloatTensor, Rng } from "../tensor/index.js";

/** Identifies a sample of a run. */
export interface SampleKey {
  /** Index into the request's prompts. */
  readonly prompt: number;
  readonly seed: number;
}

/** Conditioning of a prompt for one model, with and without the prompt (classifier-free guidance). */
export interface PromptConditioning {
  readonly conditional: Conditioning;
  readonly unconditional: Conditioning;
}

/** Length L of the text of a sample's conditioning, equal for all models. */
export const textLength = ({ conditioning }: Pick<Sample, "conditioning">): number =>
  [...conditioning.values()][0]?.conditional.streams["text"]?.shape[1] ?? 0;

/** Latents, generator and solver state of one sample. */
export interface Sample extends SampleKey {
  /** Random generator of this sample alone: a seed gives the same image alone or in a batch. */
  readonly rng: Rng;
  readonly conditioning: ReadonlyMap<ModelName, PromptConditioning>;
  xt: FloatTensor;
  /** Guidance of earlier rows, for projected guidance; null before the first. */
  momentum: FloatTensor | null;
  state: SolverState;
}
