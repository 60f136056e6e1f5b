/** What a training run learns from: batches of one model. An objective knows neither the loop nor the optimiser. */
import { RequestError } from "../errors.js";
import type { Model, Pair } from "../generate/index.js";
import type { OptimizerState, Tensors } from "../optim/index.js";
import type { ModelName } from "../sampling/index.js";
import type { TrainedLora } from "./lora.js";
import type { Batch, LossNetwork } from "./loss.js";
import type { Trained } from "./trained.js";

/** Batches of one model, each drawn from its number alone, so that a run that goes on draws what one in a piece does. */
export interface Objective<T extends Trained = TrainedLora> {
  readonly model: Model;
  /**
   * The batch of an update.
   * @param update number of updates before it
   * @param parameters values of what is trained now, for objectives whose states come from the model that is trained
   */
  batch(update: number, trained: T, parameters: Tensors, signal?: AbortSignal): Promise<Batch>;
}

/** What an objective keeps from update to update beside the parameters, in a form that a checkpoint holds: averages, a second network. */
export type Kept = OptimizerState;

/** State of a run before an update. */
export interface Before {
  /** Number of updates before it. */
  readonly update: number;
  readonly parameters: Tensors;
  readonly kept: Kept;
  /** The model with what is trained, for predictions with any values of it. */
  readonly network: LossNetwork;
  readonly signal?: AbortSignal | undefined;
}

/** What an update learns from. */
export interface Lesson {
  /** The loss is the sum of theirs. */
  readonly batches: readonly Batch[];
  /** What is kept after the update, from the parameters after it. */
  follow(parameters: Tensors): Promise<Kept>;
}

/** An objective of which a second set of values follows the trained one. */
export interface FollowingObjective {
  readonly model: Model;
  /** What is kept before the first update. */
  begin(parameters: Tensors): Kept;
  lesson(before: Before): Promise<Lesson>;
  /** The values that the run is for: those of the parameters, or an average of them. */
  result(state: { readonly parameters: Tensors; readonly kept: Kept }): Tensors;
}

/** The model of a pair that a run trains. @throws RequestError where there is none with weights of its own */
export function trainedModel(pair: Pair, on: ModelName): Model {
  const model = pair[on];
  if (!model) throw new RequestError("there is no distilled model: name one with --distilled, or train --on base");
  if (!model.lora) return model;
  throw new RequestError(
    "the distilled model is a LoRA on the base: train --on base, or merge it first (adapter merge)",
  );
}
