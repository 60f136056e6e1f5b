/** A store of objects by name, which several machines write: results and images. */

export interface ObjectStore {
  /** Its address. */
  readonly address: string;
  /** Writes an object unless there is one of this name. Resolves to false if there is, which stays as it is. */
  add(name: string, bytes: Uint8Array): Promise<boolean>;
  /** Null where there is none. */
  read(name: string): Promise<Uint8Array | null>;
  /** Names that begin with a prefix, in order. */
  list(prefix: string): Promise<string[]>;
  close(): Promise<void>;
}
