/** Interface of random-access byte sources. The checkpoint room implements it for files, URLs and Blobs. */

/** Origin of bytes. */
export interface SourceName {
  /** Name for messages: the path as given, or the URL. */
  readonly name: string;
  /** Absolute path of a local file, symlinks resolved, which a runtime may map into memory. */
  readonly path?: string;
  /** The bytes as a Blob, which a runtime may read itself. */
  readonly blob?: Blob;
}

/** A random-access byte source. */
export interface ByteSource extends SourceName {
  /** Number of bytes. */
  readonly size: number;
  /** Bytes [offset, offset + length), in a new buffer. @throws FileError when the source is shorter, or cannot be read */
  read(offset: number, length: number): Promise<Uint8Array>;
}
