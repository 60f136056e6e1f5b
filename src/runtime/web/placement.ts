/** Passes weights to ONNX Runtime in a browser: those of a Blob as ranges that the worker reads, others in buffers. */
import { MachineError } from "../../errors.js";
import { formatBytes, type StoredBytes } from "../../tensor/index.js";
import { bufferWeights } from "../buffers.js";
import type { WeightBlob } from "../protocol.js";
import type { Model, Placement } from "../runtime.js";
import { ADDRESSABLE } from "./addressable.js";

/** Bytes of a window into a Blob: offsets in external data are 32-bit numbers in ONNX Runtime's build for browsers. */
const WINDOW = 2 ** 31;

/**
 * Places the weights of a model. Those that are in a file, or in a complete download, are not read here.
 * @throws MachineError when they are larger than WebAssembly's memory; FileError when one cannot be read
 */
export async function place(weights: Model["weights"]) {
  mustFit(weights);
  const others = new Map<string, StoredBytes>();
  const windows = new Map<Blob, Map<number, string>>();
  const placed = new Map<string, Placement>();
  const mounted: WeightBlob[] = [];
  for (const [name, bytes] of weights) {
    const blob = bytes.in === "source" ? bytes.source.blob : undefined;
    if (bytes.in === "memory" || blob === undefined) {
      others.set(name, bytes);
      continue;
    }
    const first = Math.floor(bytes.offset / WINDOW) * WINDOW;
    const known = windows.get(blob) ?? new Map<number, string>();
    windows.set(blob, known);
    let location = known.get(first);
    if (location === undefined) {
      location = `blob/${mounted.length}`;
      known.set(first, location);
      mounted.push({ path: location, data: blob.slice(first) });
    }
    placed.set(name, { location, offset: bytes.offset - first, length: bytes.length });
  }
  const read = await bufferWeights(others);
  return {
    placed: new Map([...placed, ...read.placed]),
    buffers: [...mounted, ...read.buffers],
    own: read.own,
    folder: null,
  };
}

/** @throws MachineError when the weights of one network do not fit WebAssembly's memory */
function mustFit(weights: Model["weights"]): void {
  let size = 0;
  for (const bytes of weights.values()) size += bytes.in === "memory" ? bytes.bytes.length : bytes.length;
  if (size < ADDRESSABLE) return;
  throw new MachineError(
    `the weights of this network take ${formatBytes(size)}; WebAssembly in a browser addresses ${formatBytes(ADDRESSABLE)}: take int8 as compute, a smaller model, or a TAESD as decoder`,
  );
}
