/** Calls of a network that wait at the same time, made as one call with a larger batch. Independent of the kind of network. */
import type { RunResult } from "../runtime/index.js";
import { count, type FloatTensor, float, stack, type Tensor } from "../tensor/index.js";
import { floats } from "./floats.js";

export type Feeds = Readonly<Record<string, Tensor>>;

/** A call that waits for its turn. Its feeds are floats, and the first dimension of each is the batch. */
interface WaitingCall {
  /** Calls with one key may be made together. */
  readonly key: string;
  readonly feeds: Feeds;
  readonly samples: number;
  readonly make: (feeds: Feeds) => Promise<RunResult>;
  readonly settle: { readonly resolve: (result: RunResult) => void; readonly reject: (reason: unknown) => void };
}

/** Longest wait for calls that may join, as a share of the time of the last call, and in milliseconds. */
const PATIENCE = 0.2;
const LONGEST_WAIT = 50;

export interface JoinedCalls {
  /**
   * Makes a call, together with others of its key that wait. Their outputs are those of one batch: equal to those of separate calls up to the
   * rounding of the network.
   * @param make makes a call over a batch of one sample or more
   */
  run(key: string, feeds: Feeds, make: (feeds: Feeds) => Promise<RunResult>): Promise<RunResult>;
}

/**
 * Creates a queue of calls of one network.
 * @param most samples in a joined call, at least 1; a larger call is made alone
 * @param inTurn runs work after all earlier work
 */
export function joinedCalls(most: number, inTurn: (work: () => Promise<void>) => Promise<void>): JoinedCalls {
  const waiting: WaitingCall[] = [];

  /** Removes and returns the first waiting call, with those after it that fit. */
  function take(): WaitingCall[] {
    const first = waiting.shift();
    if (!first) return [];
    const taken = [first];
    let { samples } = first;
    for (const call of [...waiting]) {
      if (call.key !== first.key || samples + call.samples > most) continue;
      samples += call.samples;
      taken.push(call);
      waiting.splice(waiting.indexOf(call), 1);
    }
    return taken;
  }

  /** Samples that waited or were answered when the last call ended, and its time. */
  let last = { samples: 0, milliseconds: 0 };
  const waitingSamples = () => waiting.reduce((n, { samples }) => n + samples, 0);

  /** Waits a little for the runs whose call has just ended: most ask for their next one, and can join. */
  async function gather(): Promise<void> {
    const end = performance.now() + Math.min(LONGEST_WAIT, PATIENCE * last.milliseconds);
    do await new Promise((later) => setTimeout(later));
    while (waitingSamples() < Math.min(most, last.samples) && performance.now() < end);
  }

  /** Makes the call that has waited longest, which need not be the one whose turn it is. */
  async function makeNext(): Promise<void> {
    if (waiting.length > 0) await gather();
    const calls = take();
    const [first] = calls;
    if (!first) return;
    const samples = calls.map((call) => call.samples);
    try {
      const made = await first.make(joined(calls.map(({ feeds }) => feeds)));
      last = { samples: samples.reduce((n, own) => n + own, waitingSamples()), milliseconds: made.milliseconds };
      for (const [i, result] of split(made, samples).entries()) calls[i]?.settle.resolve(result);
    } catch (error) {
      for (const { settle } of calls) settle.reject(error);
    }
  }
  return {
    run: (key, feeds, make) =>
      new Promise((resolve, reject) => {
        waiting.push({ key, feeds, samples: batchOf(feeds), make, settle: { resolve, reject } });
        inTurn(makeNext).catch(reject);
      }),
  };
}

/** Samples of a call. @throws RangeError when its feeds have different numbers of samples */
function batchOf(feeds: Feeds): number {
  const sizes = [...new Set(Object.values(feeds).map((t) => t.shape[0] ?? 1))];
  const [samples] = sizes;
  if (samples !== undefined && sizes.length === 1) return samples;
  throw new RangeError(`feeds of a call have batches of ${sizes.join(" and ")}; calls are joined along one batch`);
}

function joined(calls: readonly Feeds[]): Feeds {
  const [first] = calls;
  if (!first || calls.length === 1) return first ?? {};
  return Object.fromEntries(Object.keys(first).map((name) => [name, stack(calls.map((feeds) => floats(feeds[name])))]));
}

/** The result of a call over a batch, for each of the calls that it was made for. Its time is shared by samples. */
function split({ outputs, milliseconds }: RunResult, sizes: readonly number[]): RunResult[] {
  if (sizes.length === 1) return [{ outputs, milliseconds }];
  const total = sizes.reduce((n, size) => n + size, 0);
  let from = 0;
  return sizes.map((size) => {
    const own = Object.entries(outputs).map(([name, value]) => [name, rows(floats(value), from, size)]);
    from += size;
    return { outputs: Object.fromEntries(own), milliseconds: (milliseconds * size) / total };
  });
}

/** Samples `from` to `from + size` of a batch, a view of the same memory. */
function rows({ shape: [, ...rest], data }: FloatTensor, from: number, size: number): FloatTensor {
  return float([size, ...rest], data.subarray(from * count(rest), (from + size) * count(rest)));
}
