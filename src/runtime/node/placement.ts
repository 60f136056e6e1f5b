/** How weights reach ONNX Runtime in Node: mapped from local files where that is possible, else read into memory. */
import type { StoredBytes } from "../../tensor/index.js";
import { type Buffered, bufferWeights } from "../buffers.js";
import type { Placement } from "../runtime.js";

/** Weights with the folder that locations in files are relative to: the root of their drive; null where no file is mapped. */
export interface Placed extends Buffered {
  readonly folder: string | null;
}

/** Bytes of weights that a model may hold itself: protobuf ends at 2 GiB. */
const INSIDE = 2 ** 30;

const sizeOf = (bytes: StoredBytes): number => (bytes.in === "memory" ? bytes.bytes.length : bytes.length);

/**
 * Places the weights of a model. Those of local files are mapped. Others are given as buffers where no file is mapped, since ONNX
 * Runtime looks for all external data in buffers as soon as there is one; beside mapped files they lie in the model, and where they are
 * too large for that, all weights are read.
 * @throws RangeError when weights lie on several drives, which ONNX Runtime cannot map from; FileError when one cannot be read
 */
export async function place(weights: ReadonlyMap<string, StoredBytes>, inside = INSIDE): Promise<Placed> {
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
  if (files.size === 0 || size > inside) return { ...(await bufferWeights(weights)), folder: null };
  const { placed, buffers } = await bufferWeights(others);
  return { placed: new Map([...files, ...inModel(placed, buffers)]), buffers: [], own: [], folder };
}

/** External data as bytes in the model. */
function inModel(placed: Buffered["placed"], buffers: Buffered["buffers"]): Map<string, Placement> {
  const data = new Map(buffers.map((buffer) => [buffer.path, buffer.data]));
  return new Map(
    [...placed].map(([name, at]) => {
      const bytes = "raw" in at ? at.raw : data.get(at.location)?.subarray(at.offset, at.offset + at.length);
      return [name, { raw: bytes ?? new Uint8Array() }] as const;
    }),
  );
}

/** The root of an absolute path: "/", a drive of Windows, or a share of its network. */
const ROOT = /^(?:[A-Za-z]:[\\/]|[\\/]{2}[^\\/]+[\\/][^\\/]+[\\/]|[\\/])/;

/** An absolute path as its root and the rest below it, with forward slashes. */
function located(file: string): { readonly root: string; readonly location: string } {
  const [root] = ROOT.exec(file) ?? [];
  if (root === undefined) throw new RangeError(`${file} is a relative path; weights in files need an absolute one`);
  const rest = file.slice(root.length);
  // A backslash separates folders on Windows only.
  if (root === "/") return { root, location: rest };
  return { root: root.replaceAll("/", "\\").toUpperCase(), location: rest.replaceAll("\\", "/") };
}
