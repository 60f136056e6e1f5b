/** Memory of one run of a graph, from the lifetimes of its values. Weights are not included. */
import type { Dim, Graph, Node } from "./op.js";

const FLOAT = 4;
const sizeOf = (shape: readonly Dim[], batch: number): number =>
  FLOAT * shape.reduce<number>((n, d) => n * (typeof d === "number" ? d : batch), 1);

/** Bytes an operation needs beside its inputs and output: attention transposes its three inputs to make heads contiguous. */
const scratchOf = ({ op, inputs }: Node, batch: number): number =>
  op.kind === "attention" ? inputs.reduce((n, v) => n + sizeOf(v.shape, batch), 0) : 0;

/**
 * Peak bytes of live values in a run with batch size `batch`. A value lives from the node that computes it to the last node that reads
 * it; a reshape shares the memory of its input.
 */
export function workingBytes(graph: Graph, batch: number): number {
  const owner = new Map<number, number>();
  const owned = (id: number): number => owner.get(id) ?? id;
  const lastRead = new Map<number, number>();
  for (const [at, { op, inputs, output }] of graph.nodes.entries()) {
    const [first] = inputs;
    if (op.kind === "reshape" && first) owner.set(output.id, owned(first.id));
    for (const v of inputs) lastRead.set(owned(v.id), at);
  }
  for (const v of graph.outputs.values()) lastRead.set(owned(v.id), graph.nodes.length);

  const alive = new Map<number, number>();
  for (const v of graph.inputs.values()) alive.set(v.id, sizeOf(v.shape, batch));
  let now = [...alive.values()].reduce((n, b) => n + b, 0);
  let most = now;
  for (const [at, node] of graph.nodes.entries()) {
    const { op, inputs, output } = node;
    if (op.kind !== "reshape") {
      const made = sizeOf(output.shape, batch);
      alive.set(output.id, made);
      now += made;
    }
    most = Math.max(most, now + scratchOf(node, batch));
    for (const id of new Set(inputs.map((v) => owned(v.id)))) {
      if (lastRead.get(id) !== at) continue;
      now -= alive.get(id) ?? 0;
      alive.delete(id);
    }
  }
  return most;
}

/**
 * Bytes of ONNX Runtime's arena per live byte: the arena grows by doubling, and its free blocks fragment (measured on SDXL's decoder and
 * UNet: docs/memory.md).
 */
const ARENA = 2;

/** Estimated bytes of ONNX Runtime's arena in a run with batch size `batch`, without the weights. */
export const arenaBytes = (graph: Graph, batch: number): number => ARENA * workingBytes(graph, batch);
