/** Whether an adapter is for the family of a model, from names and shapes. */
import { FAMILIES, type Family, familyByText, recogniseAdapter, type Shapes } from "../families/index.js";
import type { Layers } from "./names.js";

/** The family whose text features a model's cross-attention reads; null where it is none's. */
function familyOf(layers: Layers): Family | null {
  for (const [name, { weight }] of layers.get("unet") ?? []) {
    if (/attn2\.to_[kv]$/.test(name)) return familyByText(weight[1] ?? 0);
  }
  return null;
}

/**
 * Both families in words, where an adapter is for another one than the model; null where they agree or are not known.
 * @param family of the model; default: the one whose text features its layers read
 */
export function familyProblem(shapes: Shapes, layers: Layers, family: Family | null = familyOf(layers)): string | null {
  const found = recogniseAdapter(shapes);
  if (found === null) return null;
  const possible = found.kind === "other" ? [] : (found.families ?? (found.family === null ? [] : [found.family]));
  if (found.kind !== "other" && (possible.length === 0 || possible.some((own) => own === family))) return null;
  if (found.kind !== "other" && family === null) return null;
  const here = family === null ? "not" : FAMILIES[family].title;
  return `is ${found.about}; the model is ${here} (${found.because})`;
}
