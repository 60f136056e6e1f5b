/**
 * Files of Custom Diffusion (Kumari et al. 2023, arXiv 2212.04488) in diffusers' form: keys and values of cross-attention in full, and an empty tensor for each attention
 * layer that stays as it is, since diffusers sets the processors of all layers at once.
 */
import { type FloatTensor, float } from "../tensor/index.js";
import type { Delta } from "./delta.js";

/** The layers that Custom Diffusion trains. */
export const isCustomDiffusionLayer = (layer: string): boolean => /\.attn2\.to_[kv]$/.test(layer);

const PROCESSED = /^(.*\.attn[12])\.to_([qkv]|out\.0)$/;

/** True for a tensor that marks an attention layer as unchanged. */
export const marksUnchanged = (key: string, { shape }: Pick<FloatTensor, "shape">): boolean =>
  key.endsWith(".processor") && shape.includes(0);

/**
 * Tensors of such a file, by key.
 * @param targets replaced layers, of those `isCustomDiffusionLayer` names
 * @param layers names of all layers of the denoiser
 */
export function customDiffusionTensors(
  targets: readonly { readonly layer: string; readonly delta: Delta }[],
  layers: Iterable<string>,
): Record<string, FloatTensor> {
  const tensors: Record<string, FloatTensor> = {};
  const changed = new Set<string>();
  for (const { layer, delta } of targets) {
    const [, attention, name] = PROCESSED.exec(layer) ?? [];
    if (delta.kind !== "replacement" || attention === undefined) throw new RangeError(`${layer} is not replaced`);
    tensors[`${attention}.processor.to_${name}_custom_diffusion.weight`] = delta.weight;
    changed.add(attention);
  }
  for (const layer of layers) {
    const [, attention] = PROCESSED.exec(layer) ?? [];
    if (attention === undefined || changed.has(attention)) continue;
    tensors[`${attention}.processor`] = float([0]);
  }
  return tensors;
}
