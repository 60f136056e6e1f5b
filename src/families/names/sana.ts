/** Tensor names of SANA's transformer: those of NVIDIA's own code, and those of diffusers. */
import { fused, type Renamed } from "./transformer.js";

const BLOCK = "transformer_blocks.*";
const OWN = "blocks.*";

export const SANA_NAMES: readonly Renamed[] = [
  { own: "patch_embed.proj", other: "x_embedder.proj" },
  { own: "caption_projection.linear_1", other: "y_embedder.y_proj.fc1" },
  { own: "caption_projection.linear_2", other: "y_embedder.y_proj.fc2" },
  { own: "caption_norm", other: "attention_y_norm" },
  // SANA has the first two, SANA-Sprint the second two, with an embedding of the guidance scale.
  { own: "time_embed.emb.timestep_embedder.linear_1", other: "t_embedder.mlp.0" },
  { own: "time_embed.emb.timestep_embedder.linear_2", other: "t_embedder.mlp.2" },
  { own: "time_embed.timestep_embedder.linear_1", other: "t_embedder.mlp.0" },
  { own: "time_embed.timestep_embedder.linear_2", other: "t_embedder.mlp.2" },
  { own: "time_embed.guidance_embedder.linear_1", other: "cfg_embedder.mlp.0" },
  { own: "time_embed.guidance_embedder.linear_2", other: "cfg_embedder.mlp.2" },
  { own: "time_embed.linear", other: "t_block.1" },
  { own: `${BLOCK}.scale_shift_table`, other: `${OWN}.scale_shift_table` },
  ...fused(
    `${OWN}.attn.qkv`,
    ["to_q", "to_k", "to_v"].map((name) => `${BLOCK}.attn1.${name}`),
  ),
  { own: `${BLOCK}.attn1.norm_q`, other: `${OWN}.attn.q_norm` },
  { own: `${BLOCK}.attn1.norm_k`, other: `${OWN}.attn.k_norm` },
  { own: `${BLOCK}.attn1.to_out.0`, other: `${OWN}.attn.proj` },
  { own: `${BLOCK}.attn2.to_q`, other: `${OWN}.cross_attn.q_linear` },
  ...fused(
    `${OWN}.cross_attn.kv_linear`,
    ["to_k", "to_v"].map((name) => `${BLOCK}.attn2.${name}`),
  ),
  { own: `${BLOCK}.attn2.norm_q`, other: `${OWN}.cross_attn.q_norm` },
  { own: `${BLOCK}.attn2.norm_k`, other: `${OWN}.cross_attn.k_norm` },
  { own: `${BLOCK}.attn2.to_out.0`, other: `${OWN}.cross_attn.proj` },
  { own: `${BLOCK}.ff.conv_inverted`, other: `${OWN}.mlp.inverted_conv.conv` },
  { own: `${BLOCK}.ff.conv_depth`, other: `${OWN}.mlp.depth_conv.conv` },
  { own: `${BLOCK}.ff.conv_point`, other: `${OWN}.mlp.point_conv.conv` },
  { own: "proj_out", other: "final_layer.linear" },
  { own: "scale_shift_table", other: "final_layer.scale_shift_table" },
];
