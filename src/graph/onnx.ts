/** A graph as ONNX: its operations lowered one after the other, weights beside it until a runtime places them. */
import { bytesOf, count, type StoredBytes, type Weight } from "../tensor/index.js";
import { type Emitter, type FloatType, lower, SCORES, TYPES } from "./lower.js";
import type { Graph, Value } from "./op.js";
import { ELEMENT, encodeModel, type NodeMessage, type TensorMessage } from "./proto.js";

/** An ONNX model whose weights are still to be placed. */
export interface EncodedGraph {
  /** Weights by the names that the model has for them. */
  readonly weights: ReadonlyMap<string, StoredBytes>;
  /** Some matrices are multiplied in whole numbers, which is fast only when ONNX Runtime may lay them out anew. */
  readonly packed: boolean;
  /** The model with each weight as external data, or in the model itself. @throws RangeError for a weight that was not placed */
  encode(placed: ReadonlyMap<string, TensorMessage["data"]>): Uint8Array;
}

export interface EncodeOptions {
  /** Attention as ONNX Runtime's own operator (default), or spelled out in plain ones. */
  readonly fusedAttention?: boolean;
  /** What values are between inputs and outputs, which stay float32: default float32. */
  readonly type?: FloatType;
  /** Bytes of scores that spelled-out attention holds at once for a sample; default 128 MiB. */
  readonly scores?: number;
}

/** Encodes a graph. Weights of another type than float32 are cast on the way in. */
export function encodeGraph(
  graph: Graph,
  { fusedAttention = true, type = "float32", scores = SCORES }: EncodeOptions = {},
): EncodedGraph {
  const nodes: NodeMessage[] = [];
  const initializers: TensorMessage[] = [];
  const weights = new Map<string, StoredBytes>();
  const outside: Omit<TensorMessage, "data">[] = [];
  const names = new Map<number, string>();
  const tables = new Map<string, string>();
  /** Types of values that are not what the graph says. */
  const halves = new Set<string>();
  const casts = new Map<string, string>();
  const half = type === "float16";
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
    fusedAttention,
    half,
    scores,
  };

  const stored = (name: string, { bytes, dtype, name: own }: Weight, shape: readonly number[]): void => {
    if (bytes.in === "blocks")
      throw new RangeError(`${own} is stored in blocks of ${bytes.format}; it has to be unpacked first`);
    weights.set(name, bytes);
    outside.push({ name, type: dtype, shape });
  };
  const weightName = (weight: Weight, id: number): string => {
    const { dtype, shape, scales } = weight;
    const name = `w${id}`;
    if (scales) {
      const [out = 0, blocks = 1] = scales.shape;
      stored(name, weight, [out, blocks, count(shape) / (out * blocks)]);
      stored(`${name}.scales`, scales, scales.shape);
      return name;
    }
    stored(name, weight, shape);
    if (half && dtype === "float16") {
      halves.add(name);
      return name;
    }
    return dtype === "float32" ? name : emitter.cast(name, "float32");
  };

  /** Lowers an operation with its inputs in the type that it is computed in. */
  const lowered = ({ op, inputs, output }: Graph["nodes"][number]): string => {
    const given = inputs.map((v) => names.get(v.id) ?? "");
    if (!half) return lower(emitter, op, { inputs, names: given, output });
    const isHalf = (name: string) => halves.has(name);
    const [first = ""] = given;
    const inside = TYPES[op.kind] === "given" ? (given.some(isHalf) ? "float16" : "float32") : TYPES[op.kind];
    const fit = given.map((name, i) =>
      inputs[i]?.dtype !== "float32" || isHalf(name) === (inside === "float16")
        ? name
        : emitter.cast(name, inside === "float16" ? "float16" : "float32"),
    );
    const y = lower(emitter, op, { inputs, names: fit, output });
    if (inside === "float16") halves.add(y);
    if (inside === "float16" || !isHalf(first)) return y;
    const back = emitter.cast(y, "float16");
    halves.add(back);
    return back;
  };

  for (const [name, v] of graph.inputs) names.set(v.id, name);
  for (const [id, weight] of graph.weights) names.set(id, weightName(weight, id));
  for (const [id, { shape, data }] of graph.constants) {
    names.set(id, `c${id}`);
    initializers.push({ name: `c${id}`, type: "float32", shape, data: { raw: bytesOf(data) } });
  }
  for (const node of graph.nodes) names.set(node.output.id, lowered(node));
  for (const [name, v] of graph.outputs) {
    const from = names.get(v.id) ?? "";
    nodes.push({
      type: "Identity",
      inputs: [halves.has(from) ? emitter.cast(from, "float32") : from],
      outputs: [name],
    });
  }

  const face = (values: ReadonlyMap<string, Value>) =>
    [...values].map(([name, v]) => ({ name, type: v.dtype, shape: v.shape }));
  return {
    weights,
    packed: [...graph.weights.values()].some((w) => w.scales),
    encode(placed) {
      const external = outside.map((tensor) => {
        const data = placed.get(tensor.name);
        if (!data) throw new RangeError(`the weight ${tensor.name} was not placed`);
        return { ...tensor, data };
      });
      return encodeModel({
        nodes,
        initializers: [...initializers, ...external],
        inputs: face(graph.inputs),
        outputs: face(graph.outputs),
      });
    },
  };
}
