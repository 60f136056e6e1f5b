/** Whether an adapter fits a model, by the names and shapes of its tensors alone: nothing of its numbers is read. */
import { count } from "../tensor/index.js";
import { type Layers, nameTable } from "./names.js";
import { parseKey } from "./read.js";

export interface Fit {
  readonly keys: number;
  /** Keys that belong to a layer of the model. */
  readonly matched: number;
  /** Layers that are changed, of how many. */
  readonly layers: number;
  readonly of: number;
  /** The first tensor that belongs to a layer of another shape. */
  readonly wrong: { readonly key: string; readonly shape: readonly number[]; readonly layer: readonly number[] } | null;
  readonly fits: boolean;
}

/** A table of a model's layers is made once for many adapters. */
export function fitting(layers: Layers): (shapes: ReadonlyMap<string, readonly number[]>) => Fit {
  const table = nameTable(layers);
  const of = [...layers.values()].reduce((n, all) => n + all.size, 0);
  return (shapes) => {
    const touched = new Set<unknown>();
    let matched = 0;
    let wrong: Fit["wrong"] = null;
    for (const [key, shape] of shapes) {
      const parsed = parseKey(key);
      const layer = parsed && table.get(parsed.stem);
      if (!parsed || !layer) continue;
      matched++;
      touched.add(layer);
      const [outputs, inputs] = layer.shape;
      // Factors of other kinds are cut as their file likes.
      const right =
        parsed.slot === "down"
          ? shape[1] === inputs
          : parsed.slot === "up"
            ? shape[0] === outputs
            : parsed.slot !== "diff" || count(shape) === count(layer.shape);
      if (!right) wrong ??= { key, shape, layer: layer.shape };
    }
    return { keys: shapes.size, matched, layers: touched.size, of, wrong, fits: matched === shapes.size && !wrong };
  };
}
