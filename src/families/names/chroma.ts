/** Tensor names of Chroma's transformer: those of its authors' code, which are FLUX.1's but for the modulation, and those of diffusers. */
import { FLUX1_NAMES } from "./flux1.js";
import type { Renamed } from "./transformer.js";

export const CHROMA_NAMES: readonly Renamed[] = [
  { own: "distilled_guidance_layer.layers.*.linear_1", other: "distilled_guidance_layer.layers.*.in_layer" },
  { own: "distilled_guidance_layer.layers.*.linear_2", other: "distilled_guidance_layer.layers.*.out_layer" },
  { own: "distilled_guidance_layer.norms.*.weight", other: "distilled_guidance_layer.norms.*.scale" },
  ...FLUX1_NAMES,
];
