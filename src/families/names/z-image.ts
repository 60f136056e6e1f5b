/** Tensor names of Z-Image's transformer: those of its own code, which ComfyUI and GGUF files have, and those of diffusers. */
import { fused, type Renamed } from "./transformer.js";

export const Z_IMAGE_NAMES: readonly Renamed[] = [
  { own: "all_x_embedder.2-1", other: "x_embedder" },
  { own: "all_final_layer.2-1", other: "final_layer" },
  { own: "*.attention.to_out.0", other: "*.attention.out" },
  { own: "*.attention.norm_q", other: "*.attention.q_norm" },
  { own: "*.attention.norm_k", other: "*.attention.k_norm" },
  ...fused(
    "*.attention.qkv",
    ["to_q", "to_k", "to_v"].map((name) => `*.attention.${name}`),
  ),
];
