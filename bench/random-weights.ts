/** Safetensors files with random weights for the graph of a network, in a temporary folder. Knows no network. */
import { rmSync } from "node:fs";
import { mkdtemp, open, rm, statfs } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { MachineError } from "../src/errors.js";
import type { DrawingWeights } from "../src/models/index.js";
import { BYTES, count, createRng, formatBytes, type Weight, type WeightIndex } from "../src/tensor/index.js";

/** How weights are stored. */
export type Stored = "float32" | "float16" | "bfloat16";
const SAFETENSORS: { readonly [S in Stored]: string } = { float32: "F32", float16: "F16", bfloat16: "BF16" };

/** Layout of a weight file, from the graph of its network. */
export interface Planned {
  readonly file: string;
  readonly stored: Stored;
  readonly header: Buffer;
  readonly index: WeightIndex;
  readonly bytes: number;
}

/** Runs `work` in a temporary folder, which is removed if it fails, or the process is interrupted. */
export async function inFolder<T>(
  name: string,
  work: (folder: string, remove: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), `variegate-${name}-`));
  const signals = ["SIGINT", "SIGTERM"] as const;
  const ignore = () => {
    for (const signal of signals) process.off(signal, interrupted);
  };
  function interrupted(signal: NodeJS.Signals) {
    rmSync(folder, { recursive: true, force: true });
    // By the signal itself: process.exit in the middle of a model call aborts in ONNX Runtime.
    ignore();
    process.kill(process.pid, signal);
  }
  const remove = async () => {
    ignore();
    await rm(folder, { recursive: true, force: true });
  };
  for (const signal of signals) process.once(signal, interrupted);
  try {
    return await work(folder, remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Lays out a safetensors file with every weight that a graph uses. */
export async function planned(
  file: string,
  stored: Stored,
  draw: (index: DrawingWeights) => unknown,
): Promise<Planned> {
  const shapes = new Map<string, readonly number[]>();
  // Building a graph uses shapes only.
  const bytes = { in: "memory", source: { name: file }, bytes: new Uint8Array() } as const;
  const weight = (name: string, shape: readonly number[]): Weight => ({ name, dtype: stored, shape, bytes });
  await draw({
    source: file,
    weights: new Map(),
    synthesise(name, shape) {
      shapes.set(name, shape);
      return weight(name, shape);
    },
  });
  const entries: Record<string, unknown> = {};
  let end = 0;
  for (const [name, shape] of shapes) {
    const length = BYTES[stored] * count(shape);
    entries[name] = { dtype: SAFETENSORS[stored], shape, data_offsets: [end, end + length] };
    end += length;
  }
  const json = JSON.stringify(entries);
  // Weights begin at a multiple of eight bytes, as in files of the safetensors library.
  const header = Buffer.from(json.padEnd(8 * Math.ceil(json.length / 8)));
  const weights = new Map([...shapes].map(([name, shape]) => [name, weight(name, shape)]));
  return { file, stored, header, index: { source: file, weights }, bytes: end };
}

/** Bytes of several files. */
export const sizeOf = (files: readonly Planned[]): number => files.reduce((n, f) => n + f.bytes, 0);

/** Checks the free disk space. @throws MachineError */
export async function mustHold(folder: string, files: readonly Planned[], what: string): Promise<void> {
  const need = sizeOf(files);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= 1.05 * need) return;
  throw new MachineError(
    `${folder}: random weights of ${what} need ${formatBytes(need)}, ${formatBytes(bavail * bsize)} are free; set TMPDIR to a folder on another disk`,
  );
}

/** Length of the block of random numbers that is repeated. The values of weights do not affect the time. */
const DRAWN = 1 << 22;
/** Numbers of the block between the beginnings of two weights: OpenVINO keeps equal weights once. */
const APART = 12_345;
let drawn: Float32Array | null = null;
const blocks = new Map<string, Uint8Array>();

/** Block of random numbers with this mean and standard deviation 2⁻ⁿ. */
function block(stored: Stored, mean: number, n: number): Uint8Array {
  const key = `${stored} ${mean} ${n}`;
  const known = blocks.get(key);
  if (known) return known;
  drawn ??= createRng(0).randn([DRAWN]).data;
  const values = drawn.map((v) => mean + v * 2 ** -n);
  const made = new Uint8Array(stored === "float32" ? values.buffer : halved(values, HALF[stored]).buffer);
  blocks.set(key, made);
  return made;
}

/** Values in half precision. A loop, since a callback for each of millions of values takes seconds. */
function halved(values: Float32Array, half: (bits: number) => number): Uint16Array {
  const bits = new Uint32Array(values.buffer);
  const made = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) made[i] = half(bits[i] ?? 0);
  return made;
}

/** Half precision from the bits of a float32, truncated; subnormal numbers of float16 become 0. */
const HALF = {
  float16(bits: number): number {
    const exponent = ((bits >>> 23) & 255) - 127 + 15;
    const sign = (bits >>> 16) & 0x8000;
    return exponent <= 0 ? sign : sign | (exponent << 10) | ((bits >>> 13) & 1023);
  },
  bfloat16: (bits: number): number => bits >>> 16,
} as const;

/** Block for a weight, like an untrained network's: norms around 1, matrices that preserve the scale of activations. */
function blockFor(stored: Stored, { name, shape }: Weight): Uint8Array {
  if (shape.length === 1) return block(stored, /\.(weight|running_var)$/.test(name) ? 1 : 0, 6);
  return block(stored, 0, Math.round(Math.log2(count(shape.slice(1))) / 2));
}

/** Writes a file. @param onBytes is told how many bytes were written since the last call */
export async function writeRandom(
  { file, stored, header, index }: Planned,
  onBytes: (bytes: number) => void = () => {},
): Promise<void> {
  const out = await open(file, "w");
  try {
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    await out.write(size);
    await out.write(header);
    for (const [i, weight] of [...index.weights.values()].entries()) {
      const bytes = blockFor(stored, weight);
      let from = (BYTES[stored] * APART * i) % bytes.length;
      for (let left = BYTES[stored] * count(weight.shape); left > 0; from = 0) {
        const part = bytes.subarray(from, from + left);
        await out.write(part);
        left -= part.length;
        onBytes(part.length);
      }
    }
  } finally {
    await out.close();
  }
}
