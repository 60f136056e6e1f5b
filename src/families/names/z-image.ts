/** Tensor names of Z-Image's transformer: those of its own code, which ComfyUI and GGUF files have, → those of diffusers. */
import type { SourceTensor } from "./clip.js";

/** Parts of names that differ. */
const RENAMED: readonly (readonly [RegExp, string])[] = [
  [/^x_embedder\./, "all_x_embedder.2-1."],
  [/^final_layer\./, "all_final_layer.2-1."],
  [/\.attention\.out\./, ".attention.to_out.0."],
  [/\.attention\.q_norm\./, ".attention.norm_q."],
  [/\.attention\.k_norm\./, ".attention.norm_k."],
];
const THIRDS = [
  [0, "to_q"],
  [1, "to_k"],
  [2, "to_v"],
] as const;
const QKV = /\.attention\.qkv\.weight$/;

/** Where each tensor of diffusers' names is in a file with the names of Z-Image's own code. A fused matrix has queries, keys and values in this order. */
export function zImageNames(keys: readonly string[]): Map<string, SourceTensor> {
  const found = new Map<string, SourceTensor>();
  for (const key of keys) {
    if (QKV.test(key)) {
      for (const [third, name] of THIRDS) found.set(key.replace(QKV, `.attention.${name}.weight`), { key, third });
      continue;
    }
    // A norm that the network does not have.
    if (key === "norm_final.weight") continue;
    found.set(
      RENAMED.reduce((name, [from, to]) => name.replace(from, to), key),
      { key },
    );
  }
  return found;
}
