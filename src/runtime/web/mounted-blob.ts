/**
 * A Blob as external data of ONNX Runtime, which copies each weight into its memory out of a typed array. This one reads the asked range
 * from the Blob at that moment, so that a file of weights is never in memory beside ONNX Runtime's own copy. Works in a worker only.
 */

/** Bytes of a read for small weights, and the number of reads that are kept. */
const READ = 1 << 22;
const KEPT = 4;

export class MountedBlob extends Uint8Array {
  readonly #blob: Blob;
  /** Latest reads, by their start. */
  readonly #kept = new Map<number, Uint8Array<ArrayBuffer>>();

  constructor(blob: Blob) {
    super(0);
    this.#blob = blob;
  }

  // Methods of typed arrays, which create arrays of the same class, give plain ones.
  static get [Symbol.species]() {
    return Uint8Array;
  }

  override get byteLength(): number {
    return this.#blob.size;
  }

  override get length(): number {
    return this.#blob.size;
  }

  override subarray(begin = 0, end = this.#blob.size): Uint8Array<ArrayBuffer> {
    const start = Math.floor(begin / READ) * READ;
    if (end > start + READ) return this.#read(begin, end);
    let bytes = this.#kept.get(start);
    if (!bytes) {
      bytes = this.#read(start, Math.min(start + READ, this.#blob.size));
      const [oldest] = this.#kept.keys();
      if (this.#kept.size === KEPT && oldest !== undefined) this.#kept.delete(oldest);
      this.#kept.set(start, bytes);
    }
    return bytes.subarray(begin - start, end - start);
  }

  #read(begin: number, end: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(new FileReaderSync().readAsArrayBuffer(this.#blob.slice(begin, end)));
  }
}
