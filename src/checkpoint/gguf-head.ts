/** The header of a GGUF file, read from its start in pieces: counts, metadata and the table of tensors. Every field is validated. */
import { FileError } from "../errors.js";
import type { ByteSource } from "../tensor/index.js";

/** A value about the model: strings, integers and shapes. */
export type Value = string | number | readonly number[];

/** Upper bounds, far above any model. No memory is allocated from a count before its entries are read. */
const MAX_ENTRIES = 65_536;
const MAX_HEAD = 100_000_000;
const MAX_WORD = 1_000_000;
/** Size of magic, version and two counts; then the minimum size of each kind of entry: empty name, no dimensions, a value of one byte. */
const HEADER_BYTES = 24;
const LEAST_TENSOR_BYTES = 24;
const LEAST_VALUE_BYTES = 13;
/** Bytes to read at once. */
const STRETCH = 1 << 20;

/** Widths of scalar metadata in bytes, by gguf_type; 8 is a string, 9 an array. */
const WIDTHS: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};
const WORD = 8;
const ROW = 9;
/** Readers of numbers in lists, by gguf_type. */
const NUMBERS: Readonly<Record<number, (view: DataView, at: number) => number>> = {
  0: (view, at) => view.getUint8(at),
  4: (view, at) => view.getUint32(at, true),
  5: (view, at) => view.getInt32(at, true),
  6: (view, at) => view.getFloat32(at, true),
};

/** A header, read up to its metadata: the number of values about the model, and of tensors. */
export interface OpenedHead {
  readonly head: Head;
  readonly words: number;
  readonly tensors: number;
}

/** Begins to read a file. @throws FileError with the invalid field and the expected value */
export async function openHead(source: ByteSource): Promise<OpenedHead> {
  const { name: file, size } = source;
  const head = reading(source);
  const magic = size < 4 ? "" : String.fromCharCode(...(await head.bytes(4)));
  if (magic !== "GGUF") throw new FileError(file, "is no GGUF file: it does not begin with GGUF");
  const version = await head.whole(4);
  if (version !== 2 && version !== 3) {
    throw new FileError(
      file,
      version > 0xffff
        ? "was written by a big-endian machine; make it again on an ordinary one"
        : `is GGUF version ${version}; versions 2 and 3 are read`,
    );
  }
  const tensors = await head.whole(8);
  const words = await head.whole(8);
  for (const [n, what] of [
    [tensors, "tensors"],
    [words, "values about the model"],
  ] as const) {
    if (n > MAX_ENTRIES) throw new FileError(file, `says that it has ${n} ${what}; no model has over ${MAX_ENTRIES}`);
  }
  const least = HEADER_BYTES + LEAST_TENSOR_BYTES * tensors + LEAST_VALUE_BYTES * words;
  if (least > size) {
    throw new FileError(
      file,
      `is cut short: ${tensors} tensors and ${words} values about the model need at least ${least} bytes, it has ${size}; fetch it again`,
    );
  }
  return { head, words, tensors };
}

/** Sequential reader of a file's header. */
export interface Head {
  at(): number;
  bytes(n: number): Promise<Uint8Array>;
  /** Unsigned integer of 4 or 8 bytes. */
  whole(width: 4 | 8): Promise<number>;
  word(): Promise<string>;
  /** Value of a gguf_type; unused types are skipped and give undefined. */
  value(type: number): Promise<Value | undefined>;
  /** Array of a gguf_type: words, or numbers of at most 32 bits. @throws FileError for another type */
  list(type: number): Promise<readonly string[] | Float64Array>;
}

function reading(source: ByteSource): Head {
  const { name: file, size } = source;
  let at = 0;
  let held: { start: number; bytes: Uint8Array } = { start: 0, bytes: new Uint8Array() };

  function mustHave(n: number): void {
    if (at + n > size) throw new FileError(file, `is cut short: its head goes on beyond byte ${size}; fetch it again`);
    if (at + n > MAX_HEAD) throw new FileError(file, `has a head of more than ${MAX_HEAD} bytes; no model has that`);
  }
  async function bytes(n: number): Promise<Uint8Array> {
    mustHave(n);
    if (at + n > held.start + held.bytes.length) {
      held = { start: at, bytes: await source.read(at, Math.min(Math.max(n, STRETCH), size - at)) };
    }
    const from = at - held.start;
    at += n;
    return held.bytes.subarray(from, from + n);
  }
  const view = async (n: number) => {
    const b = await bytes(n);
    return new DataView(b.buffer, b.byteOffset, n);
  };
  const skip = (n: number) => {
    mustHave(n);
    at += n;
  };
  async function whole(width: 4 | 8): Promise<number> {
    const v = await view(width);
    const n = width === 4 ? v.getUint32(0, true) : Number(v.getBigUint64(0, true));
    if (!Number.isSafeInteger(n)) throw new FileError(file, `has the number ${n} at byte ${at - width}; it is broken`);
    return n;
  }
  async function word(): Promise<string> {
    const length = await whole(8);
    if (length > MAX_WORD) throw new FileError(file, `has a word of ${length} bytes at byte ${at}; it is broken`);
    return new TextDecoder().decode(await bytes(length));
  }
  async function value(type: number): Promise<Value | undefined> {
    if (type === WORD) return word();
    if (type === ROW) return row();
    const width = WIDTHS[type];
    if (width === undefined) throw new FileError(file, `has a value of type ${type} at byte ${at}; GGUF has 0 to 12`);
    if (type === 4) return whole(4);
    if (type === 5) return (await view(4)).getInt32(0, true);
    if (type === 10) return whole(8);
    skip(width);
    return undefined;
  }
  /** Array of int32, which holds a shape; arrays of other types belong to language models and are skipped. */
  async function row(): Promise<readonly number[] | undefined> {
    const type = await whole(4);
    const n = await whole(8);
    if (type === WORD) {
      mustHave(8 * n);
      for (let i = 0; i < n; i++) skip(await whole(8));
      return undefined;
    }
    const width = WIDTHS[type];
    if (width === undefined)
      throw new FileError(file, `has a row of type ${type} at byte ${at}; plain values expected`);
    if (type !== 5 || n > 8) {
      skip(n * width);
      return undefined;
    }
    const v = await view(4 * n);
    return Array.from({ length: n }, (_, i) => v.getInt32(4 * i, true));
  }
  async function list(type: number): Promise<readonly string[] | Float64Array> {
    const of = type === ROW ? await whole(4) : undefined;
    const read = of === undefined ? undefined : NUMBERS[of];
    if (of !== WORD && !read)
      throw new FileError(file, `has a value of type ${of ?? type} at byte ${at}; a list was expected`);
    const n = await whole(8);
    mustHave(n * (of === WORD ? 8 : (WIDTHS[of ?? 0] ?? 1)));
    if (!read) {
      const found: string[] = [];
      for (let i = 0; i < n; i++) found.push(await word());
      return found;
    }
    const width = WIDTHS[of ?? 0] ?? 1;
    const v = await view(n * width);
    return Float64Array.from({ length: n }, (_, i) => read(v, i * width));
  }
  return { at: () => at, bytes, whole, word, value, list };
}
