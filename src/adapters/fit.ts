/** Checks from names and shapes of tensors whether an adapter fits a model. Reads no values. */
import { marksUnchanged } from "./custom-diffusion.js";
import { layerOf, type Role } from "./keys.js";
import { type Layer, type Layers, nameTable } from "./names.js";
import { type NamedShape, type ShapeProblem, shapeProblem } from "./shapes.js";

/** Result of a check. */
export interface Fit {
  /** Keys of the adapter. */
  readonly keys: number;
  /** Keys that belong to a layer of the model. */
  readonly matched: number;
  /** Layers that the adapter changes. */
  readonly layers: number;
  /** Adaptable layers of the model. */
  readonly of: number;
  /** The first tensor with a wrong shape; null when all are right. */
  readonly wrong: ShapeProblem | null;
  /** All keys match a layer, with the right shapes. */
  readonly fits: boolean;
}

/** Returns a check of adapters against a model, which computes the table of layer names once. */
export function fitting(layers: Layers): (shapes: ReadonlyMap<string, readonly number[]>) => Fit {
  const table = nameTable(layers);
  const of = [...layers.values()].reduce((n, all) => n + all.size, 0);
  return (shapes) => {
    const groups = new Map<Layer, Map<Role, NamedShape>>();
    let matched = 0;
    for (const [key, shape] of shapes) {
      const found = layerOf(key, table);
      if (found || marksUnchanged(key, { shape })) matched++;
      if (!found) continue;
      const group = groups.get(found.layer) ?? new Map<Role, NamedShape>();
      groups.set(found.layer, group.set(found.role, { key, shape }));
    }
    let wrong: ShapeProblem | null = null;
    for (const [layer, group] of groups) wrong ??= shapeProblem(layer, group);
    return { keys: shapes.size, matched, layers: groups.size, of, wrong, fits: matched === shapes.size && !wrong };
  };
}
