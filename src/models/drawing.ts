/** Weights from which a network's graph is built, and the choice of layers and weights that are graph inputs instead of constants. */
import type { Weight, WeightIndex } from "../tensor/index.js";

/** A weight index with options for building a graph. */
export interface DrawingWeights extends WeightIndex {
  /** Names of layers that get a low-rank update, whose matrices are graph inputs; default none. */
  readonly loraLayers?: ReadonlySet<string>;
  /** Names of weights that are graph inputs; default none. */
  readonly inputs?: ReadonlySet<string>;
  /** Creates weights that the index lacks, for benchmarks without a checkpoint. */
  readonly synthesise?: (name: string, shape: readonly number[]) => Weight;
}
