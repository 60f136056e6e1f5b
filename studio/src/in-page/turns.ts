/** One run at a time: a newer run of a lane supersedes the one before it; runs of other lanes and measurements wait for their turn. */

export interface Turns {
  /** Number of tasks that wait or go on. */
  readonly length: number;
  take<T>(task: () => Promise<T>): Promise<T>;
}

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  let length = 0;
  return {
    get length() {
      return length;
    },
    take(task) {
      length++;
      const next = last.then(task).finally(() => length--);
      last = next.catch(() => {});
      return next;
    },
  };
}
