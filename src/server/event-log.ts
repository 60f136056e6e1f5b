/** Log of the events of a run as JSON texts with ids, for any number of readers, each at its own place. Its size is bounded. */

/** An event with its id: 1 for the first of a run. */
export interface LoggedEvent {
  readonly id: number;
  readonly type: string;
  readonly json: string;
}

export interface EventLog {
  /** Characters that the log holds. */
  readonly size: number;
  append(event: Readonly<Record<string, unknown>> & { readonly type: string }): void;
  /** Ends the log: readers return after its last event. */
  end(): void;
  /**
   * Events with an id above `after`, then those to come. Where the next one was dropped, an event `missed` with the id of the last dropped
   * one comes first. Ends with the log, or when `signal` is aborted.
   */
  read(after: number, signal: AbortSignal): AsyncGenerator<LoggedEvent, void, undefined>;
}

/** @param most characters to keep; the oldest events are dropped */
export function createEventLog(most: number): EventLog {
  let kept: LoggedEvent[] = [];
  let last = 0;
  let size = 0;
  let ended = false;
  const sleepers = new Set<() => void>();
  const wake = () => {
    for (const resolve of sleepers) resolve();
    sleepers.clear();
  };
  /** Resolves at the next event, at the end, and when the reader leaves. */
  const change = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const done = () => {
        sleepers.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      sleepers.add(done);
      signal.addEventListener("abort", done);
    });

  return {
    get size() {
      return size;
    },
    append(event) {
      const json = JSON.stringify(event);
      kept.push({ id: ++last, type: event.type, json });
      size += json.length;
      let drop = 0;
      while (size > most && drop < kept.length - 1) size -= kept[drop++]?.json.length ?? 0;
      if (drop > 0) kept = kept.slice(drop);
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    async *read(after, signal) {
      // An id from another run or another start of the program starts over.
      let at = after > last ? 0 : after;
      while (!signal.aborted) {
        const first = kept[0]?.id ?? last + 1;
        if (at < first - 1) {
          at = first - 1;
          yield { id: at, type: "missed", json: JSON.stringify({ type: "missed", until: at }) };
          continue;
        }
        const next = kept[at - first + 1];
        if (next) {
          at = next.id;
          yield next;
        } else if (ended) return;
        else await change(signal);
      }
    },
  };
}
