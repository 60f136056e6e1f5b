/** Fair queue: clients take turns, and the work of each client keeps its order. Independent of what the work is. */

export interface FairQueue<T> {
  /** Amount of waiting work. */
  readonly length: number;
  /** Waiting work of a client, the oldest first. */
  of(client: string): readonly T[];
  /** Adds work behind the client's other work. */
  add(client: string, work: T): void;
  /** Removes and returns the oldest work of the client whose turn it is; undefined when nothing waits. */
  take(): T | undefined;
  /** Removes work; false if it does not wait. */
  remove(work: T): boolean;
  /** Amount of work that is taken before this one if nothing is added or removed; null if it does not wait. */
  ahead(work: T): number | null;
}

export function createFairQueue<T>(): FairQueue<T> {
  /** Clients with waiting work, in the order of their turns. */
  const waiting = new Map<string, T[]>();

  function placeOf(work: T): { readonly client: string; readonly turn: number; readonly index: number } | null {
    for (const [turn, [client, works]] of [...waiting].entries()) {
      const index = works.indexOf(work);
      if (index >= 0) return { client, turn, index };
    }
    return null;
  }
  return {
    get length() {
      return [...waiting.values()].reduce((n, works) => n + works.length, 0);
    },
    of: (client) => [...(waiting.get(client) ?? [])],
    add(client, work) {
      const works = waiting.get(client);
      if (works) works.push(work);
      else waiting.set(client, [work]);
    },
    take() {
      const [turn] = waiting;
      if (!turn) return undefined;
      const [client, works] = turn;
      const work = works.shift();
      // Set again, a client is last.
      waiting.delete(client);
      if (works.length > 0) waiting.set(client, works);
      return work;
    },
    remove(work) {
      const place = placeOf(work);
      if (!place) return false;
      const works = waiting.get(place.client) ?? [];
      works.splice(place.index, 1);
      if (works.length === 0) waiting.delete(place.client);
      return true;
    },
    ahead(work) {
      const place = placeOf(work);
      if (!place) return null;
      return [...waiting.values()].reduce(
        (n, works, turn) => n + Math.min(works.length, place.index + (turn < place.turn ? 1 : 0)),
        0,
      );
    },
  };
}
