/** Pool of loaded sessions for several networks of one runtime, within a memory limit. Independent of the kind of network. */
import type { Session } from "../runtime/index.js";

/** A loaded session. */
export interface LoadedSession {
  readonly session: Session;
  /** Names of its inputs. */
  readonly inputs: readonly string[];
  /** Bytes of weights that it has copied. Mapped weights are shared and not counted. */
  readonly copies: number;
  /** Working memory in bytes of a call with one sample. */
  readonly arena: number;
}

/** A session in the pool. */
export interface PooledSession extends LoadedSession {
  /** Names of its cached constant inputs, the most recently used last. */
  held: string[];
}

interface Entry extends PooledSession {
  readonly owner: object;
  readonly key: string;
  /** Largest batch so far: ONNX Runtime does not free the working memory of a call. */
  batch: number;
}

export interface SessionPool {
  /** Runs `work` after all earlier work, so that no session is released during a call. The runtime itself runs one call at a time. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  has(owner: object, key: string): boolean;
  /** Returns the session of `owner` for a key, created if it is not loaded. Call it inside `inTurn`. */
  use(owner: object, key: string, batch: number, make: () => Promise<LoadedSession>): Promise<PooledSession>;
  /** Releases all sessions of `owner`. Call it inside `inTurn`. */
  release(owner: object): Promise<void>;
}

/**
 * Creates a pool that keeps the last session of each network, and earlier sessions of at most `spare` bytes in total; the least recently
 * used is released first.
 */
export function createSessionPool(spare: number): SessionPool {
  /** The most recently used is last. */
  let entries: Entry[] = [];
  let turn: Promise<unknown> = Promise.resolve();

  async function drop(dropped: readonly Entry[]): Promise<void> {
    entries = entries.filter((e) => !dropped.includes(e));
    for (const { session } of dropped) await session.release();
  }
  /** Frees memory for a new session of `owner`, whose current one becomes a spare. */
  async function evict(owner: object): Promise<void> {
    const last = new Map(entries.map((e) => [e.owner, e] as const));
    const spares = entries.filter((e) => e.owner === owner || last.get(e.owner) !== e);
    let bytes = 0;
    const kept = spares.toReversed().filter((e) => {
      bytes += e.copies + e.arena * e.batch;
      return bytes <= spare;
    });
    await drop(spares.filter((e) => !kept.includes(e)));
  }
  return {
    inTurn(work) {
      const next = turn.then(work);
      turn = next.catch(() => {});
      return next;
    },
    has: (owner, key) => entries.some((e) => e.owner === owner && e.key === key),
    async use(owner, key, batch, make) {
      const found = entries.find((e) => e.owner === owner && e.key === key);
      if (!found) await evict(owner);
      const entry = found ?? { ...(await make()), owner, key, batch: 1, held: [] };
      entry.batch = Math.max(entry.batch, batch);
      entries = [...entries.filter((e) => e !== entry), entry];
      return entry;
    },
    release: (owner) => drop(entries.filter((e) => e.owner === owner)),
  };
}
