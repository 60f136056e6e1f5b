/** Samples of a run: prompt, seed, latents and solver state. */
import type { Conditioning } from "../models/index.js";
import type { ModelName, SolverState } from "../sampling/index.js";
import type { FloatTensor, Rng } from "../tensor/index.js";
import type { EncodedPrompt } from "../text/index.js";

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
  /** Equal for an equal `conditional` of one pair. */
  readonly key: string;
}

/** Conditioning as it is encoded. */
export interface EncodedSides extends PromptConditioning {
  readonly conditional: EncodedPrompt;
}

/** Length L of the text of a sample's conditioning, equal for all models. */
export const textLength = ({ conditioning }: Pick<Sample, "conditioning">): number =>
  [...conditioning.values()][0]?.conditional.streams["text"]?.shape[1] ?? 0;

/** State of a sample after a row of its plan. */
export interface RowState {
  /** Unique to this state: names the rows before it in the keys of those that follow. */
  readonly serial: number;
  /** Latents after the row, and predicted clean latents; null for a re-noise row. */
  readonly xt: FloatTensor;
  readonly x0: FloatTensor | null;
  readonly state: SolverState;
  /** Momentum of projected guidance. */
  readonly momentum: FloatTensor | null;
  /** Generator after the row. It is cloned for each use. */
  readonly rng: Rng;
}

/** Latents, generator and solver state of one sample. */
export interface Sample extends SampleKey {
  /** Random generator of this sample alone: a seed gives the same image alone or in a batch. */
  rng: Rng;
  readonly conditioning: ReadonlyMap<ModelName, PromptConditioning>;
  xt: FloatTensor;
  /** Guidance of earlier rows, for projected guidance; null before the first. */
  momentum: FloatTensor | null;
  state: SolverState;
  /** Names what led to this state, for the cache: what the sample began with and the rows so far. */
  place: string;
  /** States after the first rows, from the cache. */
  kept: readonly RowState[];
}
