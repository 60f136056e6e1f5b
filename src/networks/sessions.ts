/** Sessions that stay loaded for several networks of one runtime, within a memory limit. Knows nothing of what a network is. */
import type { Session } from "../runtime/index.js";

/** A session that is loaded. */
export interface LoadedSession {
  readonly session: Session;
  /** Names of its inputs. */
  readonly inputs: readonly string[];
  /** Bytes of weights that are its own copies. Mapped weights are shared and not counted. */
  readonly copies: number;
  /** Bytes that a call with one sample works in. */
  readonly arena: number;
}

/** A session in the pool. */
export interface PooledSession extends LoadedSession {
  /** Names of the constant inputs that it holds, the last used last. */
  held: string[];
}

interface Entry extends PooledSession {
  readonly owner: object;
  readonly key: string;
  /** Largest batch that has run: ONNX Runtime keeps the memory that a call worked in. */
  batch: number;
}

export interface SessionPool {
  /** Runs `work` after all work before it. The runtime runs one call at a time anyway, and no session is released under a call. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  has(owner: object, key: string): boolean;
  /** The session of `owner` under a key, made if it is not loaded. Call in turn. */
  use(owner: object, key: string, batch: number, make: () => Promise<LoadedSession>): Promise<PooledSession>;
  /** Releases every session of `owner`. Call in turn. */
  release(owner: object): Promise<void>;
}

/**
 * A pool that keeps the session each network used last, and those used before it while they take at most `spare` bytes together: the
 * least recently used goes first.
 */
export function createSessionPool(spare: number): SessionPool {
  /** The last used stands last. */
  let entries: Entry[] = [];
  let turn: Promise<unknown> = Promise.resolve();

  async function drop(dropped: readonly Entry[]): Promise<void> {
    entries = entries.filter((e) => !dropped.includes(e));
    for (const { session } of dropped) await session.release();
  }
  /** Makes room for a new session of `owner`, whose present one becomes a spare. */
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
