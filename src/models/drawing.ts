/** The weights of a network as it is drawn: an index, and which layers and weights are inputs of the graph instead of constants. */
import type { Weight, WeightIndex } from "../tensor/index.js";

export interface DrawingWeights extends WeightIndex {
  /** Layers drawn with a low-rank change beside them, whose matrices are inputs of the graph. */
  readonly loraLayers?: ReadonlySet<string>;
  /** Weights that are inputs of the graph, by their own names. */
  readonly inputs?: ReadonlySet<string>;
  /** Makes a weight that is not in the index: for timing a network without a checkpoint. */
  readonly synthesise?: (name: string, shape: readonly number[]) => Weight;
}
