/** Tensor names of FLUX.2's transformer: those of Black Forest Labs' own code, which ComfyUI and GGUF files have, and those of diffusers. */
import { STREAM_ATTENTION } from "./flux1.js";
import type { Renamed } from "./transformer.js";

const stream = (name: string, ff: string): Renamed[] => [
  { own: `transformer_blocks.*.${ff}.linear_in`, other: `double_blocks.*.${name}_mlp.0` },
  { own: `transformer_blocks.*.${ff}.linear_out`, other: `double_blocks.*.${name}_mlp.2` },
];

export const FLUX2_NAMES: readonly Renamed[] = [
  { own: "x_embedder", other: "img_in" },
  { own: "context_embedder", other: "txt_in" },
  { own: "time_guidance_embed.timestep_embedder.linear_1", other: "time_in.in_layer" },
  { own: "time_guidance_embed.timestep_embedder.linear_2", other: "time_in.out_layer" },
  { own: "time_guidance_embed.guidance_embedder.linear_1", other: "guidance_in.in_layer" },
  { own: "time_guidance_embed.guidance_embedder.linear_2", other: "guidance_in.out_layer" },
  { own: "double_stream_modulation_img.linear", other: "double_stream_modulation_img.lin" },
  { own: "double_stream_modulation_txt.linear", other: "double_stream_modulation_txt.lin" },
  { own: "single_stream_modulation.linear", other: "single_stream_modulation.lin" },
  ...STREAM_ATTENTION,
  ...stream("img", "ff"),
  ...stream("txt", "ff_context"),
  { own: "single_transformer_blocks.*.attn.to_qkv_mlp_proj", other: "single_blocks.*.linear1" },
  { own: "single_transformer_blocks.*.attn.to_out", other: "single_blocks.*.linear2" },
  { own: "proj_out", other: "final_layer.linear" },
  // Shift before scale in the file.
  { own: "norm_out.linear", other: "final_layer.adaLN_modulation.1", swapped: true },
];
