/** What a training run learns from: batches of one model. An objective knows neither the loop nor the optimiser. */
import { RequestError } from "../errors.js";
import type { Model, Pair } from "../generate/index.js";
import type { Tensors } from "../optim/index.js";
import type { ModelName } from "../sampling/index.js";
import type { TrainedLora } from "./lora.js";
import type { Batch } from "./loss.js";

/** Batches of one model, each drawn from its number alone, so that a run that goes on draws what one in a piece does. */
export interface Objective {
  readonly model: Model;
  /**
   * The batch of an update.
   * @param update number of updates before it
   * @param parameters values of the LoRA now, for objectives whose states come from the model that is trained
   */
  batch(update: number, lora: TrainedLora, parameters: Tensors, signal?: AbortSignal): Promise<Batch>;
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
