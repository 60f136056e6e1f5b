/** Graphs for runtimes whose RotaryEmbedding is another function than ONNX Runtime's. */
import { decompose, type Graph } from "../graph/index.js";

/** The graph with products and sums in place of rotary position embeddings. */
export const withoutRotary = (graph: Graph): Graph => decompose(graph, ["rope"]);
