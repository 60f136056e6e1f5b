/** Passes weights to ONNX Runtime in Node: mapped from local files where possible, else read into memory. */
import { MachineError } from "../../errors.js";
import type { StoredBytes } from "../../tensor/index.js";
import { type Buffered, bufferWeights } from "../buffers.js";
import type { Placement } from "../runtime.js";

/** Placement of all weights. */
export interface Placed extends Buffered {
  /** Base folder of external data in files: the root of their drive; null when no file is mapped. */
  readonly folder: string | null;
}

/** Largest size of weights in the model itself, in bytes: protobuf is limited to 2 GiB, and graphs of weights have many other bytes. */
export const MOST_INSIDE = 2 ** 31 - 2 ** 27;
const INSIDE = 2 ** 30;

export interface PlaceOptions {
  /** Largest size of weights in the model, in bytes; default 1 GiB. */
  readonly inside?: number;
  /** Whether weights may be passed in buffers; default true. */
  readonly buffered?: boolean;
}

const sizeOf = (bytes: StoredBytes): number => (bytes.in === "memory" ? bytes.bytes.length : bytes.length);

/**
 * Places the weights of a model. Weights in local files are mapped. Other weights are passed as buffers if no file is mapped, since ONNX
 * Runtime looks up all external data in buffers as soon as there is one; otherwise they become part of the model. If they are too large for
 * that, all weights are read.
 * @throws RangeError when weights are on several drives, which ONNX Runtime cannot map from; MachineError when weights outside of files are too
 * large for a model that takes no buffers; FileError when one cannot be read
 */
export async function place(
  weights: ReadonlyMap<string, StoredBytes>,
  { inside = INSIDE, buffered = true }: PlaceOptions = {},
): Promise<Placed> {
  const files = new Map<string, Placement>();
  const others = new Map<string, StoredBytes>();
  let folder: string | null = null;
  for (const [name, bytes] of weights) {
    const path = bytes.in === "source" ? bytes.source.path : undefined;
    if (bytes.in === "memory" || path === undefined) {
      others.set(name, bytes);
      continue;
    }
    const { root, location } = located(path);
    folder ??= root;
    if (root !== folder)
      throw new RangeError(
        `${path} is on ${root}, other weights of its network on ${folder}: all must be on one drive`,
      );
    files.set(name, { location, offset: bytes.offset, length: bytes.length });
  }
  const size = [...others.values()].reduce((n, bytes) => n + sizeOf(bytes), 0);
  if (!buffered && size > inside)
    throw new MachineError(
      `weights of ${size} bytes are in memory, not in a local file; at most ${inside} fit into a model`,
    );
  if (buffered && (files.size === 0 || size > inside)) return { ...(await bufferWeights(weights)), folder: null };
  const { placed, buffers } = await bufferWeights(others);
  return { placed: new Map([...files, ...inModel(placed, buffers)]), buffers: [], own: [], folder };
}

/** Turns external data in buffers into bytes in the model. */
function inModel(placed: Buffered["placed"], buffers: Buffered["buffers"]): Map<string, Placement> {
  const data = new Map(buffers.map((buffer) => [buffer.path, buffer.data]));
  return new Map(
    [...placed].map(([name, at]) => {
      const bytes = "raw" in at ? at.raw : data.get(at.location)?.subarray(at.offset, at.offset + at.length);
      return [name, { raw: bytes ?? new Uint8Array() }] as const;
    }),
  );
}

/** Root of an absolute path: "/", a Windows drive, or a network share. */
const ROOT = /^(?:[A-Za-z]:[\\/]|[\\/]{2}[^\\/]+[\\/][^\\/]+[\\/]|[\\/])/;

/** Splits an absolute path into its root and the location below it, with forward slashes. */
function located(file: string): { readonly root: string; readonly location: string } {
  const [root] = ROOT.exec(file) ?? [];
  if (root === undefined) throw new RangeError(`${file} is a relative path; weights in files need an absolute one`);
  const rest = file.slice(root.length);
  // A backslash is a separator on Windows only.
  if (root === "/") return { root, location: rest };
  return { root: root.replaceAll("/", "\\").toUpperCase(), location: rest.replaceAll("\\", "/") };
}
