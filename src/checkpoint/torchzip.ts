/** PyTorch files (.bin, .pt, .ckpt): a zip of storages and a pickle of tensors as views of them; before 1.6, the same data in sequence. */
import { FileError } from "../errors.js";
import { BYTES, type ByteSource, bytesOf, count, type Weight } from "../tensor/index.js";
import { unpack } from "./blocks.js";
import { type Pickled, readPickle, readPickles, type TensorView } from "./pickle.js";
import { isTensor, stateDict } from "./state-dict.js";
import { readZip } from "./zip.js";

const MAX_PICKLE = 100_000_000;

/** Reads the location of every tensor; tensors that are not contiguous are copied. @throws FileError */
export async function readTorchFile(source: ByteSource): Promise<ReadonlyMap<string, Weight>> {
  const start = await source.read(0, Math.min(4, source.size));
  if (start[0] !== 0x50 || start[1] !== 0x4b) {
    return readOldFile(source);
  }
  const entries = await readZip(source);
  const pickle = [...entries.values()].find((e) => e.name === "data.pkl" || e.name.endsWith("/data.pkl"));
  if (!pickle) throw new FileError(source.name, "is a zip, but not one of PyTorch's: data.pkl is missing");
  if (pickle.length > MAX_PICKLE)
    throw new FileError(source.name, `its pickle is ${pickle.length} bytes; a state dict's is far smaller`);
  const root = pickle.name.slice(0, -"data.pkl".length);
  const order = entries.get(`${root}byteorder`);
  if (order && new TextDecoder().decode(await source.read(order.offset, Math.min(order.length, 16))) === "big") {
    throw new FileError(source.name, "was written by a big-endian machine; save it again on an ordinary one");
  }
  const content = readPickle(await source.read(pickle.offset, pickle.length), source.name);
  return weightsOf(source, content, (key) => entries.get(`${root}data/${key}`));
}

/** Byte range of a storage. */
interface Place {
  readonly offset: number;
  readonly length: number;
}

/** torch.serialization.MAGIC_NUMBER, rounded to float64. */
const MAGIC = Number(0x1950a86a20f9469cfc6cn);
/** Maximum size of the pickles before the storages: names and shapes of a state dict. */
const MAX_HEAD = 16_000_000;

/**
 * Reads a file of PyTorch before 1.6 (_legacy_save): pickles of magic number, protocol, machine, content and storage keys; then the number
 * of elements and the bytes of each storage.
 */
async function readOldFile(source: ByteSource): Promise<ReadonlyMap<string, Weight>> {
  const notTorch = () =>
    new FileError(source.name, "is no PyTorch file: it is neither a zip nor in the format before 1.6");
  const head = await source.read(0, Math.min(MAX_HEAD, source.size));
  // PROTO, then LONG1: the magic number. Reading any other pickle reports a callable that is not allowed.
  if (head[0] === 0x80 && head[2] !== 0x8a) readPickle(head, source.name);
  if (head[0] !== 0x80 || head[2] !== 0x8a) throw notTorch();
  const { values, end } = readPickles(head, source.name, 5);
  const [magic, , machine, content = null, keys] = values;
  if (magic !== MAGIC || !Array.isArray(keys)) throw notTorch();
  if (machine instanceof Map && machine.get("little_endian") === false) {
    throw new FileError(source.name, "was written by a big-endian machine; save it again on an ordinary one");
  }
  const sizes = new Map<string, number>();
  forEachTensor(content, source.name, (_, t) => sizes.set(t.storage.key, BYTES[t.storage.dtype]));
  const places = new Map<string, Place>();
  let at = end;
  for (const key of keys as Pickled[]) {
    const first = await source.read(at, 8);
    const count = new DataView(first.buffer, first.byteOffset).getBigInt64(0, true);
    const size = sizes.get(String(key));
    // A storage without a tensor has no known element width, so the next offset is unknown.
    if (size === undefined) break;
    places.set(String(key), { offset: at + 8, length: Number(count) * size });
    at += 8 + Number(count) * size;
    if (count < 0n || at > source.size)
      throw new FileError(source.name, `is cut short: its storages need ${at} bytes, it has ${source.size}`);
  }
  return weightsOf(source, content, (key) => places.get(key));
}

/** Calls `each` for every tensor of a state dict. */
function forEachTensor(content: Pickled, file: string, each: (name: string, t: TensorView) => void): void {
  for (const [name, value] of stateDict(content, file)) {
    if (typeof name === "string" && isTensor(value)) each(name, value);
  }
}

async function weightsOf(
  source: ByteSource,
  content: Pickled,
  placeOf: (key: string) => Place | undefined,
): Promise<ReadonlyMap<string, Weight>> {
  const found: [string, TensorView][] = [];
  forEachTensor(content, source.name, (name, t) => found.push([name, t]));
  const weights = new Map<string, Weight>();
  for (const [name, value] of found) {
    const entry = placeOf(value.storage.key);
    if (!entry) throw new FileError(source.name, `the storage of ${name} is missing`);
    weights.set(name, await weightOf(source, name, value, entry));
  }
  if (weights.size === 0) throw new FileError(source.name, "holds no tensors");
  return weights;
}

async function weightOf(source: ByteSource, name: string, t: TensorView, entry: Place): Promise<Weight> {
  const { dtype } = t.storage;
  const size = BYTES[dtype];
  const last = t.shape.includes(0) ? -1 : t.shape.reduce((n, d, i) => n + (d - 1) * (t.strides[i] ?? 0), t.offset);
  if ((last + 1) * size > entry.length || count(t.shape) > entry.length / size) {
    throw new FileError(source.name, `${name} reaches beyond its storage of ${entry.length} bytes`);
  }
  const base = { name, dtype: t.format ? ("float32" as const) : dtype, shape: t.shape };
  const inOrder = t.shape.every((d, i) => d === 1 || t.strides[i] === count(t.shape.slice(i + 1)));
  const length = count(t.shape) * size;
  const place = { source, offset: entry.offset + t.offset * size, length };
  if (inOrder && t.format) return { ...base, bytes: { in: "blocks", ...place, format: t.format, skip: 0 } };
  if (inOrder) return { ...base, bytes: { in: "source", ...place } };
  const storage = await source.read(entry.offset, entry.length);
  const ordered = inRowOrder(storage, t, size);
  const bytes = t.format ? bytesOf(unpack(t.format, ordered)) : ordered;
  return { ...base, bytes: { in: "memory", source, bytes } };
}

/** Elements of a view in row-major order. */
function inRowOrder(storage: Uint8Array, { shape, strides, offset }: TensorView, size: number): Uint8Array {
  const out = new Uint8Array(count(shape) * size);
  const index = shape.map(() => 0);
  for (let at = 0; at < out.length; at += size) {
    const from = (offset + index.reduce((n, i, d) => n + i * (strides[d] ?? 0), 0)) * size;
    out.set(storage.subarray(from, from + size), at);
    for (let d = shape.length - 1; d >= 0; d--) {
      index[d] = (index[d] ?? 0) + 1;
      if ((index[d] ?? 0) < (shape[d] ?? 0)) break;
      index[d] = 0;
    }
  }
  return out;
}
