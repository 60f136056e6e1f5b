/** Encodes graphs as ONNX models. Weights stay separate until a runtime places them. */
import { FileError } from "../errors.js";
import { bytesOf, count, type Packed, type StoredBytes, type Weight } from "../tensor/index.js";
import { COMPUTE_TYPES, type Emitter, type FloatType, lower, SCORE_BYTES } from "./lower.js";
import type { Graph, Op, OpKind, Value } from "./op.js";
import {
  ELEMENT,
  type ElementType,
  encodeModel,
  type NodeMessage,
  type TensorMessage,
  type ValueMessage,
} from "./proto.js";

/**
 * Type of the values between inputs and outputs. "bfloat16": the model is in float32, and the engine computes in bfloat16, as OpenVINO does
 * when it is told so.
 */
export type ComputeType = FloatType | "bfloat16";

/** An ONNX model without the data of its weights. */
export interface EncodedGraph {
  /** Weights by their names in the model. */
  readonly weights: ReadonlyMap<string, StoredBytes>;
  /** The graph has quantised matmuls, which need ONNX Runtime's prepacking to be fast. */
  readonly packed: boolean;
  /** ONNX Runtime may find layers to fuse. */
  readonly fusible: boolean;
  /** Compute type of the values between inputs and outputs. */
  readonly type: ComputeType;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** ModelProto with the data of each weight: bytes in the model, or external data. @throws RangeError for a weight without data */
  encode(placed: ReadonlyMap<string, TensorMessage["data"]>): Uint8Array;
}

/** Declaration of an input or output. */
export interface Port extends Pick<Value, "dtype" | "shape"> {
  readonly name: string;
}

/** Options of `encodeGraph`. */
export interface EncodeOptions {
  /** Attention as one operator of ONNX Runtime (default), or as plain ONNX operators. */
  readonly fusedAttention?: boolean;
  /** Cast rows of embedding tables in half precision after they are looked up, instead of the whole table before. Default false. */
  readonly castRows?: boolean;
  /** Default "float32". Inputs and outputs stay float32. */
  readonly type?: ComputeType;
  /**
   * Let ONNX Runtime look for layers to fuse (default). A graph with gradients is of primitive operations and has none, and the search takes more than
   * half of the time in which it loads. Without, weights in half precision are cast for each operation that reads them: a layer and its gradient are
   * far apart, and between them its weights would stay in float32.
   */
  readonly fusible?: boolean;
  /** Limit of the attention scores of one sample in bytes, where attention is not fused; default 128 MiB. */
  readonly scoreBytes?: number;
}

/**
 * Operations whose values need more digits than bfloat16 has: a timestep of 999 times a frequency is an angle of many turns. OpenVINO computes
 * an operation in float32 if there is a path from it to an output of the model without a matrix product or convolution
 * (`Graph::EnforceInferencePrecision` of its CPU plugin), so the model has these values as additional outputs, which are not used.
 */
const ANGLES: ReadonlySet<OpKind> = new Set(["sin", "cos"]);
/** Prefix of those names. */
const EXACT = "exact.";

/**
 * Encodes a graph. Weights that are not float32 are cast in the model.
 * @throws RangeError for a weight in blocks of ggml, which must be dequantised first
 */
export function encodeGraph(
  graph: Graph,
  {
    fusedAttention = true,
    castRows = false,
    fusible = true,
    type = "float32",
    scoreBytes = SCORE_BYTES,
  }: EncodeOptions = {},
): EncodedGraph {
  const parts: Parts = { nodes: [], initializers: [] };
  const half = type === "float16";
  const emitter = createEmitter(graph, parts, { fusedAttention, half, scoreBytes });
  const { weights, outside } = storedWeights(graph);
  /** Names of values in float16. */
  const halves = new Set<string>();
  const names = new Map<number, string>();
  const exact: Port[] = [];
  const tables = castRows && !half ? tablesOf(graph) : new Set<number>();
  /** Names of weights that are cast for each operation, by the ids of their values. */
  const castAgain = new Map<number, string>();
  const nameOf = ({ id }: Value): string => {
    const again = castAgain.get(id);
    return again === undefined ? (names.get(id) ?? "") : toFloat32(emitter, again);
  };

  for (const [name, v] of graph.inputs) names.set(v.id, name);
  for (const [id, weight] of graph.weights) {
    const { dtype, scales, packed } = weight;
    const name = weightName(id);
    if (packed) {
      names.set(id, unpacked(emitter, name, weight, packed));
      continue;
    }
    const cast = !scales && dtype !== "float32" && !(half && dtype === "float16");
    if (half && dtype === "float16" && !scales) halves.add(name);
    const isCast = cast && !tables.has(id);
    if (isCast && !fusible) castAgain.set(id, name);
    else names.set(id, isCast ? emitter.cast(name, "float32") : name);
  }
  for (const [id, { shape, data }] of graph.constants) {
    names.set(id, `c${id}`);
    parts.initializers.push({ name: `c${id}`, type: "float32", shape, data: { raw: bytesOf(data) } });
  }
  // Casts before all layers, for the order in which they run: see `unpacked`.
  const casts = graph.nodes.map(({ inputs }) => inputs.map((v) => (castAgain.has(v.id) ? nameOf(v) : undefined)));
  for (const [at, { op, inputs, output }] of graph.nodes.entries()) {
    const given = inputs.map((v, i) => casts[at]?.[i] ?? nameOf(v));
    const node = { inputs, names: given, output };
    const found = half ? lowerTyped(emitter, halves, op, node) : lower(emitter, op, node);
    const made = tables.has(inputs[0]?.id ?? -1) ? emitter.cast(found, "float32") : found;
    names.set(output.id, made);
    if (type === "bfloat16" && ANGLES.has(op.kind)) {
      exact.push({ name: `${EXACT}${made}`, dtype: output.dtype, shape: output.shape });
      parts.nodes.push(identity(made, `${EXACT}${made}`));
    }
  }
  for (const [name, v] of graph.outputs) {
    const from = nameOf(v);
    const wide = halves.has(from) ? emitter.cast(from, "float32") : from;
    parts.nodes.push(identity(wide, name));
  }
  const [inputs, outputs] = [portsOf(graph.inputs), portsOf(graph.outputs)];
  return {
    weights,
    packed: [...graph.weights.values()].some((w) => w.scales !== undefined),
    fusible,
    type,
    inputs,
    outputs,
    encode(placed) {
      const external = outside.map((tensor) => {
        const data = placed.get(tensor.name);
        if (!data) throw new RangeError(`the weight ${tensor.name} has no data`);
        return { ...tensor, data };
      });
      const { nodes, initializers } = parts;
      return encodeModel({
        nodes,
        initializers: [...initializers, ...external],
        inputs: inputs.map(messageOf),
        outputs: [...outputs, ...exact].map(messageOf),
      });
    },
  };
}

/** Weights in half precision that are used only as tables of embeddings. */
function tablesOf({ weights, nodes, outputs }: Graph): ReadonlySet<number> {
  const tables = new Set([...weights].flatMap(([id, { dtype }]) => (dtype.endsWith("float16") ? [id] : [])));
  for (const { op, inputs } of nodes) {
    for (const [i, { id }] of inputs.entries()) if (op.kind !== "embedding" || i > 0) tables.delete(id);
  }
  for (const { id } of outputs.values()) tables.delete(id);
  return tables;
}

/** Nodes and constants of the model, in the order of emission. */
interface Parts {
  readonly nodes: NodeMessage[];
  readonly initializers: TensorMessage[];
}

/** Emitter that appends to `parts`. Equal constants and casts are shared. */
function createEmitter(
  graph: Graph,
  { nodes, initializers }: Parts,
  options: Pick<Emitter, "fusedAttention" | "half" | "scoreBytes">,
): Emitter {
  const tables = new Map<string, string>();
  const casts = new Map<string, string>();
  let serial = 0;
  const table = (key: string, shape: readonly number[], type: "float32" | "int64", make: () => Uint8Array) => {
    const known = tables.get(key);
    if (known) return known;
    const name = `table${tables.size}`;
    tables.set(key, name);
    initializers.push({ name, type, shape, data: { raw: make() } });
    return name;
  };
  const emitter: Emitter = {
    ...options,
    node(type, inputs, attributes, domain) {
      const output = `n${serial++}`;
      nodes.push({ type, inputs, outputs: [output], ...(attributes && { attributes }), ...(domain && { domain }) });
      return output;
    },
    ints: (values) =>
      table(`i${values.join()}`, [values.length], "int64", () => bytesOf(BigInt64Array.from(values, BigInt))),
    floats: (shape, fill) =>
      table(`f${shape.join()}=${fill}`, shape, "float32", () => bytesOf(new Float32Array(count(shape)).fill(fill))),
    causalMask: (n, from, to) =>
      table(`causal${n} ${from} ${to}`, [to - from, n], "float32", () =>
        bytesOf(
          Float32Array.from({ length: (to - from) * n }, (_, i) => (i % n > from + Math.floor(i / n) ? -1e30 : 0)),
        ),
      ),
    quantised: (v) => {
      const weight = v && graph.weights.get(v.id);
      return weight?.scales ? weight : undefined;
    },
    cast(name, to) {
      const key = `${name} ${to}`;
      const cast = casts.get(key) ?? emitter.node("Cast", [name], { to: { int: ELEMENT[to] } });
      casts.set(key, cast);
      return cast;
    },
  };
  return emitter;
}

/**
 * A packed matrix [O, I] in float32. Its nodes come before those of the layers: ONNX Runtime then runs them just before the product, where nodes
 * that come later would be run first, all together. For the choice of nodes see docs/precision.md.
 */
function unpacked(e: Emitter, name: string, { shape }: Weight, { minima }: Packed): string {
  const scaled = e.node("Mul", [e.cast(name, "float32"), `${name}.scales`]);
  const all = minima ? e.node("Add", [scaled, `${name}.minima`]) : scaled;
  return e.node("Reshape", [all, e.ints(shape)]);
}

const toFloat32 = (e: Emitter, name: string): string => e.node("Cast", [name], { to: { int: ELEMENT.float32 } });

const weightName = (id: number): string => `w${id}`;

/** Weights of a graph by their names in the model, and their TensorProtos without data. */
function storedWeights(graph: Graph) {
  const weights = new Map<string, StoredBytes>();
  const outside: Omit<TensorMessage, "data">[] = [];
  const store = (
    name: string,
    { bytes, dtype, name: own }: Weight,
    shape: readonly number[],
    type: ElementType = dtype,
  ): void => {
    if (bytes.in === "blocks")
      throw new RangeError(`${own} is stored in blocks of ${bytes.format}; it must be dequantised first`);
    if (bytes.in === "unsupported") {
      throw new FileError(
        bytes.source.name,
        `${own} is stored as ${bytes.format}, which is not supported; save it as float16`,
      );
    }
    weights.set(name, bytes);
    outside.push({ name, type, shape });
  };
  for (const [id, weight] of graph.weights) {
    const { shape, scales, packed } = weight;
    const name = weightName(id);
    if (packed) {
      const [rows = 0, runs = 0] = packed.scales.shape;
      store(name, weight, [rows, runs, count(shape) / (rows * runs)], packed.code);
      store(`${name}.scales`, packed.scales, [rows, runs, 1]);
      if (packed.minima) store(`${name}.minima`, packed.minima, [rows, runs, 1]);
      continue;
    }
    if (!scales) {
      store(name, weight, shape);
      continue;
    }
    const [out = 0, blocks = 1] = scales.shape;
    const bytes = (count(shape) * (weight.bits ?? 8)) / 8;
    store(name, weight, [out, blocks, bytes / (out * blocks)]);
    store(`${name}.scales`, scales, scales.shape);
  }
  return { weights, outside };
}

/** Lowers an operation with its inputs cast to its compute type. Float16 outputs are added to `halves`. */
function lowerTyped(
  emitter: Emitter,
  halves: Set<string>,
  op: Op,
  { inputs, names, output }: { inputs: readonly Value[]; names: readonly string[]; output: Value },
): string {
  const isHalf = (name: string) => halves.has(name);
  const [first = ""] = names;
  const own = COMPUTE_TYPES[op.kind];
  const computeType = own === "given" ? (names.some(isHalf) ? "float16" : "float32") : own;
  const cast = names.map((name, i) =>
    inputs[i]?.dtype !== "float32" || isHalf(name) === (computeType === "float16")
      ? name
      : emitter.cast(name, computeType),
  );
  const y = lower(emitter, op, { inputs, names: cast, output });
  if (computeType === "float16") halves.add(y);
  if (computeType === "float16" || !isHalf(first)) return y;
  const back = emitter.cast(y, "float16");
  halves.add(back);
  return back;
}

const portsOf = (values: ReadonlyMap<string, Value>): Port[] =>
  [...values].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));

const messageOf = ({ name, dtype, shape }: Port): ValueMessage => ({ name, type: dtype, shape });

const identity = (from: string, to: string): NodeMessage => ({ type: "Identity", inputs: [from], outputs: [to] });
