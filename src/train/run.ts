/** A training run: updates with their loss and gradient norm, and the state from which it can go on. */
import { NonFiniteError, RequestError } from "../errors.js";
import type { Pair } from "../generate/index.js";
import { clipped, globalNorm, type Optimizer, type OptimizerState, type Tensors } from "../optim/index.js";
import type { TrainedLora } from "./lora.js";
import { type LossNetwork, openLoss } from "./loss.js";
import type { Objective } from "./objective.js";

/** Everything that a run goes on from. */
export interface TrainingState {
  /** Number of updates made. */
  readonly update: number;
  readonly parameters: Tensors;
  readonly optimizer: OptimizerState;
}

/** One update. */
export interface UpdateEvent {
  readonly update: number;
  readonly updates: number;
  readonly loss: number;
  /** Norm of all gradients together, before clipping. */
  readonly norm: number;
  readonly milliseconds: number;
  readonly state: TrainingState;
}

export interface TrainOptions {
  readonly updates: number;
  readonly optimizer: Optimizer;
  /** Largest norm of the gradients. Default 1. */
  readonly clip?: number;
  readonly signal?: AbortSignal;
}

/**
 * Trains a LoRA, one event for each update. The same state gives the same updates to the bit.
 * @throws RequestError when the loss is not finite; `signal.reason` when aborted
 */
export async function* train(
  pair: Pair,
  objective: Objective,
  lora: TrainedLora,
  begun: { readonly parameters: Tensors; readonly state?: TrainingState },
  { updates, optimizer: plain, clip = 1, signal }: TrainOptions,
): AsyncGenerator<UpdateEvent, void, undefined> {
  const optimizer = clipped(clip, plain);
  let state = begun.state ?? { update: 0, parameters: begun.parameters, optimizer: optimizer.init(begun.parameters) };
  const network: LossNetwork = await openLoss(pair, objective.model, lora);
  try {
    while (state.update < updates) {
      signal?.throwIfAborted();
      const start = performance.now();
      const { loss, gradients } = await lossOf(network, objective, lora, state, signal);
      const norm = globalNorm(gradients);
      if (!Number.isFinite(loss) || !Number.isFinite(norm)) throw diverged(state.update);
      const moved = optimizer.update(state.parameters, gradients, state.optimizer);
      state = { update: state.update + 1, parameters: moved.parameters, optimizer: moved.state };
      yield { update: state.update, updates, loss, norm, milliseconds: performance.now() - start, state };
    }
  } finally {
    await network.release();
  }
}

/** Loss and gradients of the next batch. @throws RequestError where the model itself gives NaN with the LoRA */
async function lossOf(
  network: LossNetwork,
  objective: Objective,
  lora: TrainedLora,
  { update, parameters }: TrainingState,
  signal: AbortSignal | undefined,
) {
  try {
    return await network.run(await objective.batch(update, lora, parameters, signal), parameters);
  } catch (error) {
    if (error instanceof NonFiniteError && update > 0) throw diverged(update);
    throw error;
  }
}

const diverged = (update: number): Error =>
  new RequestError(
    `training diverges: the loss of update ${update + 1} is not finite; a smaller --learning-rate may help. The last checkpoint is kept`,
  );
