/** One sample of a run: a prompt, a seed, and its latents on their way. */
import type { Conditioning } from "../models/index.js";
import type { ModelName, SolverState } from "../sampling/index.js";
import type { FloatTensor, Rng } from "../tensor/index.js";

/** Names a sample of a run. */
export interface SampleKey {
  /** Index into the request's prompts. */
  readonly prompt: number;
  readonly seed: number;
}

/** Conditioning of a prompt under one model, and what guidance pulls away from. */
export interface PromptConditioning {
  readonly prompted: Conditioning;
  readonly unprompted: Conditioning;
}

/** Latents, generator and solver state of one sample. */
export interface Sample extends SampleKey {
  /** A generator of its own: a seed gives the same image alone or in a batch. */
  readonly rng: Rng;
  readonly conditioning: ReadonlyMap<ModelName, PromptConditioning>;
  xt: FloatTensor;
  state: SolverState;
}
