/** Bytes that can be read at any offset, wherever they are. Implementations are in the room of checkpoints: files, addresses, Blobs. */

/** Where bytes were read from. */
export interface SourceName {
  /** For messages: the path as it was given, or the address. */
  readonly name: string;
  /** Absolute path of a local file, symlinks resolved, which a runtime may map into memory. */
  readonly path?: string;
}

/** Bytes that can be read at any offset. */
export interface ByteSource extends SourceName {
  /** Number of bytes. */
  readonly size: number;
  /** Bytes [offset, offset + length), in a buffer of their own. @throws FileError when they are not all there */
  read(offset: number, length: number): Promise<Uint8Array>;
}
