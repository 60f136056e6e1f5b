/** Prints graphs as text, one node per line, for reading and for snapshots: `%5 = conv(%0, conv_in.weight) stride=1 : [B, 64, 16, 16]`. */
import type { Graph, Value } from "./op.js";

/** Text of a graph: its inputs, every node with operation, inputs, attributes and output shape, and its outputs. */
export function printGraph(graph: Graph): string {
  const inputNames = new Map([...graph.inputs].map(([name, v]) => [v.id, name]));
  const name = (v: Value): string =>
    inputNames.get(v.id) ?? graph.weights.get(v.id)?.name ?? (graph.constants.has(v.id) ? `const${v.id}` : `%${v.id}`);
  const shape = (v: Value) => `[${v.shape.join(", ")}]`;
  const lines = [...graph.inputs].map(([n, v]) => `input ${n} : ${shape(v)} ${v.dtype}`);
  for (const { op, inputs, output } of graph.nodes) {
    const { kind, ...attributes } = op;
    const shown = Object.entries(attributes).map(([k, v]) => ` ${k}=${JSON.stringify(v)}`);
    lines.push(`%${output.id} = ${kind}(${inputs.map(name).join(", ")})${shown.join("")} : ${shape(output)}`);
  }
  for (const [n, v] of graph.outputs) lines.push(`output ${n} = ${name(v)} : ${shape(v)}`);
  return lines.join("\n");
}
