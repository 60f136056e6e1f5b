/** Compute precision of networks, and the conversion of a graph's weights to it before a session is created. */
import { type Derivation, type Derive, deriveInMemory } from "../checkpoint/index.js";
import { RequestError } from "../errors.js";
import type { Graph } from "../graph/index.js";
import type { Device, Upcast } from "../runtime/index.js";
import { bytesOf, count, quantise, toFloat16, type Weight } from "../tensor/index.js";
import { codesOf, scalesOf } from "./derived-names.js";
import { COMPUTES } from "./fields.js";
import { mustBeFinite } from "./finite.js";
import { packedFormat, packedWeight, packing } from "./packing.js";

export type Compute = (typeof COMPUTES)[number];

/** Progress of dequantising or quantising weights, once for each file: bytes written so far and in total. */
export interface Preparing {
  readonly network: string;
  readonly done: number;
  readonly total: number;
}

export interface Precision {
  readonly compute: Compute;
  readonly onPrepare?: ((preparing: Preparing) => void) | undefined;
  /** Time at which half-precision weights are upcast. Default: at load. */
  readonly upcast?: Upcast;
  /** Time at which matrices in blocks of a GGUF file are unpacked, on the processor: at load, into a file (default), or in every call. */
  readonly unpack?: Upcast;
  /** Derives dequantised or quantised weights. Default: in memory, again for each session. */
  readonly derive?: Derive;
}

export const FLOAT32: Precision = { compute: "float32" };

const GPU: readonly Compute[] = ["float32", "float16"];
/** Compute types of each device. */
export const DEVICE_COMPUTES: { readonly [D in Device]: readonly Compute[] } = {
  cpu: ["float32", "int8"],
  openvino: ["float32", "bfloat16"],
  webgpu: GPU,
  cuda: GPU,
  coreml: GPU,
  dml: GPU,
};

/** What a compute type is for. */
const FOR: { readonly [C in Compute]: string } = {
  float32: "every device",
  float16:
    "GPUs: on the processor, ONNX Runtime would turn every value to float32 and back, and OpenVINO has no kernels of it",
  bfloat16: "OpenVINO (--device openvino), on processors with AVX-512 BF16 or AMX",
  int8: "ONNX Runtime on the processor (--device cpu)",
};

/** Checks that a device supports a precision, one of those that are `offered`. @throws RequestError with the reason and an alternative */
export function mustCompute(compute: Compute, device: Device, offered: readonly Compute[] = COMPUTES): void {
  const can = DEVICE_COMPUTES[device].filter((type) => offered.includes(type));
  if (can.includes(compute)) return;
  throw new RequestError(`compute ${compute} is for ${FOR[compute]}; on ${device} take ${can.join(" or ")}`);
}

/** Bytes for each parameter in the layout of OpenVINO's kernels. */
const IN_KERNELS = { float32: 4, bfloat16: 2 } as const;
/** Bytes for each parameter that OpenVINO 2026.4 keeps beside: half precision as it was widened to float32, bfloat16 twice (measured: docs/openvino.md). */
const WIDENED = { float16: 4, bfloat16: 8 } as const;

/** Bytes that OpenVINO keeps of a weight. float32 stays mapped from its file, as blocks do that are unpacked into one. */
export function openVinoBytes({ dtype, shape, bytes }: Weight, compute: keyof typeof IN_KERNELS): number {
  const widened = bytes.in !== "blocks" && (dtype === "float16" || dtype === "bfloat16") ? WIDENED[dtype] : 0;
  return count(shape) * (IN_KERNELS[compute] + widened);
}

/** Block sizes in order of preference: larger blocks are faster, smaller ones more accurate (docs/precision.md). */
const BLOCKS = [64, 32] as const;

/** The preferred block size that divides the rows of a matrix; undefined when none does. */
const blockOf = ({ shape: [, inputs = 0, ...rest] }: Weight): number | undefined =>
  rest.length === 0 && inputs > 0 ? BLOCKS.find((block) => inputs % block === 0) : undefined;

/** Weights that are used only as matrices of products. */
function matrices(graph: Graph): ReadonlySet<number> {
  const uses = graph.nodes.flatMap(({ op, inputs }) =>
    inputs.map((v, i) => [v.id, op.kind === "linear" && i === 1] as const),
  );
  const other = new Set(uses.flatMap(([id, matrix]) => (matrix ? [] : [id])));
  return new Set(uses.flatMap(([id, matrix]) => (matrix && !other.has(id) ? [id] : [])));
}

/** Dequantises a weight of a GGUF file. */
const unpacking = (from: Weight, dtype: "float32" | "float16"): Derivation => ({
  from,
  by: `unpacked to ${dtype}`,
  makes: [{ name: from.name, dtype, shape: from.shape }],
  make(values) {
    mustBeFinite(from, values, dtype);
    return [bytesOf(dtype === "float16" ? toFloat16(values) : values)];
  },
});

/** Quantises a matrix to int8 codes and scales. */
const quantising = (from: Weight, block: number): Derivation => ({
  from,
  by: `quantised in blocks of ${block}`,
  makes: [
    { name: codesOf(from.name), dtype: "uint8", shape: from.shape },
    { name: scalesOf(from.name), dtype: "float32", shape: [from.shape[0] ?? 0, (from.shape[1] ?? 0) / block] },
  ],
  make(values) {
    mustBeFinite(from, values);
    const { codes, scales } = quantise(values, block);
    return [codes, bytesOf(scales)];
  },
});

/** Compute type, and whether matrices in blocks stay packed. */
type Form = Pick<Precision, "compute" | "unpack">;

const packs = ({ compute, unpack }: Form): boolean => compute === "float32" && unpack === "per-call";

/** Derivations of a graph's weights that a precision needs, by name of the weight. */
export function derivations(graph: Graph, form: Form): ReadonlyMap<string, Derivation> {
  const { compute } = form;
  const whole = compute === "int8" || packs(form) ? matrices(graph) : new Set<number>();
  return new Map(
    [...graph.weights].flatMap(([id, weight]) => {
      const matrix = whole.has(id);
      const block = matrix && compute === "int8" ? blockOf(weight) : undefined;
      if (block !== undefined) return [[weight.name, quantising(weight, block)] as const];
      if (weight.bytes.in !== "blocks") return [];
      const format = matrix && packs(form) ? packedFormat(weight) : undefined;
      if (format) return [[weight.name, packing(weight, format)] as const];
      return [[weight.name, unpacking(weight, compute === "float16" ? "float16" : "float32")] as const];
    }),
  );
}

/**
 * The graph with weights that a session can load. `whole` is the same network without adapters: the weights derived from it serve
 * every stack. @throws MachineError when there is no space for the derived weights
 */
export async function prepareWeights(
  name: string,
  graph: Graph,
  whole: Graph,
  { compute, unpack = "at-load", onPrepare, derive = deriveInMemory }: Precision,
): Promise<Graph> {
  const form = { compute, unpack };
  const wanted = derivations(whole, form);
  if (wanted.size === 0) return graph;
  const made = await derive([...wanted.values()], (done, total) => onPrepare?.({ network: name, done, total }));
  const ready = (weight: Weight): Weight => {
    const format = packs(form) ? packedFormat(weight) : undefined;
    const packed = format && packedWeight(weight, format, made);
    if (packed) return packed;
    const codes = made.get(codesOf(weight.name));
    const scales = made.get(scalesOf(weight.name));
    if (codes && scales) return { ...codes, name: weight.name, scales };
    const plain = made.get(weight.name);
    return plain ? { ...plain, shape: weight.shape } : weight;
  };
  return { ...graph, weights: new Map([...graph.weights].map(([id, weight]) => [id, ready(weight)])) };
}
