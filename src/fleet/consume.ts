/** The loop of a worker: takes tasks, renews their leases while it works, and gives back what it cannot finish. */
import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf } from "../errors.js";
import { type Batch, type Lease, timesOf, type WorkQueue } from "./queue.js";

/** What is done with a task. */
export interface Tasks<T> {
  /** Does the task. An error is a failure of the task. The signal is aborted when the lease is lost, or the worker is stopped. */
  make(id: string, signal: AbortSignal): Promise<T>;
  /** Keeps the result. An error is the worker's: the task is given back, and the worker ends. */
  keep(id: string, result: T): Promise<void>;
}

export interface ConsumeOptions {
  readonly signal?: AbortSignal | undefined;
  /** An error of a task ends the worker, as in a plain loop. */
  readonly stopOnFailure?: boolean;
  /** Called with messages for the user. */
  readonly onMessage?: ((text: string) => void) | undefined;
}

class LeaseLost extends Error {}

/** Takes the tasks of a batch until none is ready. Resolves to the number of tasks done. */
export async function consume<T>(queue: WorkQueue, batch: Batch, tasks: Tasks<T>, o: ConsumeOptions): Promise<number> {
  let count = 0;
  for (;;) {
    o.signal?.throwIfAborted();
    const lease = await queue.take(batch);
    if (!lease) return count;
    if (await work(batch, lease, tasks, o)) count++;
  }
}

async function work<T>(batch: Batch, lease: Lease, tasks: Tasks<T>, o: ConsumeOptions): Promise<boolean> {
  const lost = new AbortController();
  const signal = o.signal ? AbortSignal.any([o.signal, lost.signal]) : lost.signal;
  const stop = renewing(batch, lease, () => lost.abort(new LeaseLost()));
  try {
    const result = await attempt(() => tasks.make(lease.id, signal));
    if ("error" in result) {
      if (lost.signal.aborted) {
        o.onMessage?.(`cell ${lease.id} was given to another worker, or cancelled`);
      } else if (o.signal?.aborted || o.stopOnFailure) {
        await lease.giveBack();
        throw o.signal?.aborted ? o.signal.reason : result.error;
      } else {
        await lease.fail(reasonOf(result.error));
        o.onMessage?.(
          `cell ${lease.id} failed (${lease.failures + 1} of ${batch.attempts}): ${reasonOf(result.error)}`,
        );
      }
      return false;
    }
    try {
      await tasks.keep(lease.id, result.value);
    } catch (error) {
      await lease.giveBack();
      throw error;
    }
    if (!(await lease.done()))
      o.onMessage?.(`cell ${lease.id} was also given to another worker; its result is kept once`);
    return true;
  } finally {
    stop();
  }
}

async function attempt<T>(make: () => Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    return { value: await make() };
  } catch (error) {
    return { error };
  }
}

/** Renews a lease until the returned function is called. A queue that cannot be reached is asked again. */
function renewing(batch: Batch, lease: Lease, onLost: () => void): () => void {
  const ended = new AbortController();
  const { renew } = timesOf(batch);
  const loop = async () => {
    for (;;) {
      await sleep(renew, undefined, { signal: ended.signal, ref: false });
      const held = await lease.renew().catch(() => true);
      if (!held && !ended.signal.aborted) return onLost();
    }
  };
  // Ends by the abort of its sleep.
  loop().catch(() => {});
  return () => ended.abort();
}
