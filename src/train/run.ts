/** A training run: updates with their loss and gradient norm, and the state from which it can go on. */
import { NonFiniteError, RequestError } from "../errors.js";
import type { Pair } from "../generate/index.js";
import type { GradientMemory } from "../networks/index.js";
import { clipped, globalNorm, type Optimizer, type OptimizerState, type Tensors } from "../optim/index.js";
import { combine } from "../sampling/index.js";
import { type Batch, type LossNetwork, openLoss } from "./loss.js";
import type { Before, FollowingObjective, Kept, Lesson, Objective } from "./objective.js";
import type { Trained } from "./trained.js";

/** Everything that a run goes on from. */
export interface TrainingState {
  /** Number of updates made. */
  readonly update: number;
  readonly parameters: Tensors;
  readonly optimizer: OptimizerState;
  /** What the objective keeps beside the parameters. */
  readonly kept: Kept;
}

/** One update. */
export interface UpdateEvent {
  readonly update: number;
  readonly updates: number;
  readonly loss: number;
  /** Norm of all gradients together, before clipping. */
  readonly norm: number;
  readonly milliseconds: number;
  /** With recomputation, the working memory of the largest batch so far in bytes. */
  readonly memory: GradientMemory | null;
  readonly state: TrainingState;
}

export interface TrainOptions {
  readonly updates: number;
  readonly optimizer: Optimizer;
  /** Largest norm of the gradients. Default 1. */
  readonly clip?: number;
  /** Computes values again that gradients read, in less memory and more time. Default: keeps them. */
  readonly recompute?: boolean | undefined;
  readonly signal?: AbortSignal;
}

/** What a run begins with. */
export interface Begun {
  readonly parameters: Tensors;
  /** State of a run that goes on. */
  readonly state?: TrainingState;
  /** The model with what is trained, which the run releases. Default: the objective's. */
  readonly network?: LossNetwork;
}

const NOTHING: Kept = { numbers: {}, tensors: {} };

/**
 * Trains, one event for each update. The same state gives the same updates to the bit.
 * @throws RequestError when the loss is not finite; `signal.reason` when aborted
 */
export async function* train<T extends Trained>(
  pair: Pair,
  objective: Objective<T> | FollowingObjective,
  trained: T,
  begun: Begun,
  { updates, optimizer: plain, clip = 1, recompute, signal }: TrainOptions,
): AsyncGenerator<UpdateEvent, void, undefined> {
  const optimizer = clipped(clip, plain);
  const { parameters } = begun;
  let state: TrainingState = begun.state ?? {
    ...{ update: 0, parameters, optimizer: optimizer.init(parameters) },
    kept: "begin" in objective ? objective.begin(parameters) : NOTHING,
  };
  const network = begun.network ?? (await openLoss(pair, objective.model, trained, { recompute }));
  try {
    while (state.update < updates) {
      signal?.throwIfAborted();
      const start = performance.now();
      const { batches, follow } = await finiteAt(state, () =>
        lessonOf(objective, trained, { ...state, network, signal }),
      );
      const { loss, gradients } = await finiteAt(state, () => lossOf(network, batches, state.parameters));
      const norm = globalNorm(gradients);
      if (!Number.isFinite(loss) || !Number.isFinite(norm)) throw diverged(state.update);
      const moved = optimizer.update(state.parameters, gradients, state.optimizer);
      const kept = await follow(moved.parameters);
      state = { update: state.update + 1, parameters: moved.parameters, optimizer: moved.state, kept };
      const [milliseconds, memory] = [performance.now() - start, network.memory()];
      yield { update: state.update, updates, loss, norm, milliseconds, memory, state };
    }
  } finally {
    await network.release();
  }
}

/** What the next update learns from. */
async function lessonOf<T extends Trained>(
  objective: Objective<T> | FollowingObjective,
  trained: T,
  before: Before,
): Promise<Lesson> {
  if ("lesson" in objective) return objective.lesson(before);
  const { update, parameters, kept, signal } = before;
  return { batches: [await objective.batch(update, trained, parameters, signal)], follow: async () => kept };
}

/** Sum of the losses of batches, with its gradients. */
async function lossOf(network: LossNetwork, batches: readonly Batch[], parameters: Tensors) {
  let sum: { readonly loss: number; readonly gradients: Tensors } | null = null;
  for (const batch of batches) {
    const { loss, gradients } = await network.run(batch, parameters);
    sum = sum ? { loss: sum.loss + loss, gradients: added(sum.gradients, gradients) } : { loss, gradients };
  }
  if (!sum) throw new RangeError("an update needs a batch");
  return sum;
}

const added = (a: Tensors, b: Tensors): Tensors =>
  Object.fromEntries(
    Object.entries(a).map(([name, value]) => {
      const other = b[name];
      return [name, other ? combine([1, value], [1, other]) : value];
    }),
  );

/** @throws RequestError where the model itself gives NaN after some updates */
async function finiteAt<R>({ update }: TrainingState, run: () => Promise<R>): Promise<R> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof NonFiniteError && update > 0) throw diverged(update);
    throw error;
  }
}

const diverged = (update: number): Error =>
  new RequestError(
    `training diverges: the loss of update ${update + 1} is not finite; a smaller --learning-rate may help. Files written before are kept`,
  );
