/** Trying again: what may pass by itself is tried a few times, each after a longer wait, or after as long as the server asks. */
import { setTimeout as sleep } from "node:timers/promises";

/** What may pass by itself. */
export class TransientError extends Error {
  /** Milliseconds that the server asks for. */
  readonly after: number | null;
  /** Something was achieved before it failed, so that it is worth as many tries as at first. */
  readonly progressed: boolean;
  /** There is no way to the server at all. */
  readonly unreachable: boolean;

  constructor(
    message: string,
    facts: { readonly after?: number | null; readonly progressed?: boolean; readonly unreachable?: boolean } = {},
  ) {
    super(message);
    this.after = facts.after ?? null;
    this.progressed = facts.progressed ?? false;
    this.unreachable = facts.unreachable ?? false;
  }
}

export interface RetryPolicy {
  readonly signal?: AbortSignal | undefined;
  /** Waits; rejects when the signal is aborted. Default: the clock. */
  readonly wait?: ((milliseconds: number, signal?: AbortSignal) => Promise<void>) | undefined;
  /** Hears why something is tried again, and after how long. */
  readonly onWait?: ((why: string, milliseconds: number) => void) | undefined;
  /** Tries where there is no way to the server. Default: as many as of everything. */
  readonly triesIfUnreachable?: number;
}

const TRIES = 6;
/** A server that cuts every connection after a byte must end some time too. */
const MOST = 60;
const LONGEST_WAIT = 5 * 60_000;

const clock = async (milliseconds: number, signal?: AbortSignal): Promise<void> => {
  await sleep(milliseconds, undefined, signal ? { signal } : {}).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
};

/** Runs `work` until it does not throw a Transient. @throws the last Transient when patience ends, anything else at once */
export async function withRetries<T>(work: () => Promise<T>, retryPolicy: RetryPolicy = {}): Promise<T> {
  const { signal, wait = clock, onWait, triesIfUnreachable = TRIES } = retryPolicy;
  let failed = 0;
  for (let all = 1; ; all++) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TransientError)) throw error;
      failed = error.progressed ? 1 : failed + 1;
      const tries = error.unreachable ? triesIfUnreachable : TRIES;
      if (failed >= tries || all >= MOST || (error.after ?? 0) > LONGEST_WAIT) throw error;
      const milliseconds = error.after ?? 1000 * 2 ** (failed - 1);
      onWait?.(error.message, milliseconds);
      await wait(milliseconds, signal);
    }
  }
}

/** Milliseconds of a Retry-After header, which is seconds or a date; null when there is none. */
export function retryAfter(header: string | null, now = Date.now()): number | null {
  if (header === null) return null;
  if (/^\s*\d+\s*$/.test(header)) return 1000 * Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
