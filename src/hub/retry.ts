/** Retries with exponential backoff, or after the delay that the server asks for. */
import { setTimeout as sleep } from "node:timers/promises";

/** Failure that a retry may resolve. */
export class TransientError extends Error {
  /** Delay in milliseconds that the server asks for. */
  readonly after: number | null;
  /** Bytes were received before the failure, so the count of failures starts again. */
  readonly progressed: boolean;
  /** No connection could be established. */
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
  /** Waits; rejects when the signal is aborted. Default: a timer. */
  readonly wait?: ((milliseconds: number, signal?: AbortSignal) => Promise<void>) | undefined;
  /** Called before each wait, with the reason for the retry. */
  readonly onWait?: ((why: string, milliseconds: number) => void) | undefined;
  /** Attempts while no connection can be established. Default: as for any failure. */
  readonly triesIfUnreachable?: number;
}

const ATTEMPTS = 6;
/** Total limit, for a server that closes every connection after a few bytes. */
const MAX_ATTEMPTS = 60;
const LONGEST_WAIT = 5 * 60_000;

const timer = async (milliseconds: number, signal?: AbortSignal): Promise<void> => {
  await sleep(milliseconds, undefined, signal ? { signal } : {}).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
};

/** Runs `work` until it succeeds. @throws the last TransientError after the final attempt, any other error at once */
export async function withRetries<T>(work: () => Promise<T>, retryPolicy: RetryPolicy = {}): Promise<T> {
  const { signal, wait = timer, onWait, triesIfUnreachable = ATTEMPTS } = retryPolicy;
  let failed = 0;
  for (let all = 1; ; all++) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TransientError)) throw error;
      failed = error.progressed ? 1 : failed + 1;
      const attempts = error.unreachable ? triesIfUnreachable : ATTEMPTS;
      if (failed >= attempts || all >= MAX_ATTEMPTS || (error.after ?? 0) > LONGEST_WAIT) throw error;
      const milliseconds = error.after ?? 1000 * 2 ** (failed - 1);
      onWait?.(error.message, milliseconds);
      await wait(milliseconds, signal);
    }
  }
}

/** Milliseconds of a Retry-After header, which holds seconds or a date; null without a valid one. */
export function retryAfter(header: string | null, now = Date.now()): number | null {
  if (header === null) return null;
  if (/^\s*\d+\s*$/.test(header)) return 1000 * Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
