/** Values by key, of a limited size in total: the least recently used are dropped. */

export interface Recent<T> {
  /** The value of a key, which is now the most recently used. */
  get(key: string): T | undefined;
  /** Keeps a value of a size in bytes, unless it alone is larger than the limit. */
  set(key: string, value: T, bytes: number): void;
}

/** @param most bytes in total. The keys count with two bytes a character. */
export function createRecent<T>(most: number): Recent<T> {
  /** The most recently used is last. */
  const kept = new Map<string, { readonly value: T; readonly bytes: number }>();
  let total = 0;
  const drop = (key: string) => {
    total -= kept.get(key)?.bytes ?? 0;
    kept.delete(key);
  };
  return {
    get(key) {
      const found = kept.get(key);
      if (!found) return undefined;
      kept.delete(key);
      kept.set(key, found);
      return found.value;
    },
    set(key, value, size) {
      const bytes = size + 2 * key.length;
      drop(key);
      if (bytes > most) return;
      kept.set(key, { value, bytes });
      total += bytes;
      for (const [oldest] of kept) {
        if (total <= most) break;
        drop(oldest);
      }
    },
  };
}
