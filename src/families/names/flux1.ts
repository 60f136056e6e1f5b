/** Tensor names of FLUX.1's transformer: those of Black Forest Labs' own code, which ComfyUI and GGUF files have, and those of diffusers. */
import { fused, type Renamed } from "./transformer.js";

const FIRST = "time_text_embed";

const stream = (name: "img" | "txt", ff: string, norm: string): Renamed[] => [
  { own: `transformer_blocks.*.${norm}.linear`, other: `double_blocks.*.${name}_mod.lin` },
  { own: `transformer_blocks.*.${ff}.net.0.proj`, other: `double_blocks.*.${name}_mlp.0` },
  { own: `transformer_blocks.*.${ff}.net.2`, other: `double_blocks.*.${name}_mlp.2` },
];

/** Attention of blocks with two streams, which FLUX.2 names as FLUX.1 does. */
export const STREAM_ATTENTION: readonly Renamed[] = [
  ...fused("double_blocks.*.img_attn.qkv", [
    "transformer_blocks.*.attn.to_q",
    "transformer_blocks.*.attn.to_k",
    "transformer_blocks.*.attn.to_v",
  ]),
  ...fused("double_blocks.*.txt_attn.qkv", [
    "transformer_blocks.*.attn.add_q_proj",
    "transformer_blocks.*.attn.add_k_proj",
    "transformer_blocks.*.attn.add_v_proj",
  ]),
  { own: "transformer_blocks.*.attn.to_out.0", other: "double_blocks.*.img_attn.proj" },
  { own: "transformer_blocks.*.attn.to_add_out", other: "double_blocks.*.txt_attn.proj" },
  { own: "transformer_blocks.*.attn.norm_q.weight", other: "double_blocks.*.img_attn.norm.query_norm.scale" },
  { own: "transformer_blocks.*.attn.norm_k.weight", other: "double_blocks.*.img_attn.norm.key_norm.scale" },
  { own: "transformer_blocks.*.attn.norm_added_q.weight", other: "double_blocks.*.txt_attn.norm.query_norm.scale" },
  { own: "transformer_blocks.*.attn.norm_added_k.weight", other: "double_blocks.*.txt_attn.norm.key_norm.scale" },
  { own: "single_transformer_blocks.*.attn.norm_q.weight", other: "single_blocks.*.norm.query_norm.scale" },
  { own: "single_transformer_blocks.*.attn.norm_k.weight", other: "single_blocks.*.norm.key_norm.scale" },
];

/** Queries, keys, values and the widened feed-forward of a block with one stream: 7 parts of D rows. */
const SINGLE: readonly Renamed[] = [
  { own: "single_transformer_blocks.*.attn.to_q", other: "single_blocks.*.linear1", share: [0, 7] },
  { own: "single_transformer_blocks.*.attn.to_k", other: "single_blocks.*.linear1", share: [1, 7] },
  { own: "single_transformer_blocks.*.attn.to_v", other: "single_blocks.*.linear1", share: [2, 7] },
  { own: "single_transformer_blocks.*.proj_mlp", other: "single_blocks.*.linear1", share: [3, 7, 4] },
  { own: "single_transformer_blocks.*.proj_out", other: "single_blocks.*.linear2" },
  { own: "single_transformer_blocks.*.norm.linear", other: "single_blocks.*.modulation.lin" },
];

/** Layers in LoRAs of XLabs, which name them by attention processors: 1 is the image's stream, 2 the text's. A block with one stream has its feed-forward apart. */
export const XLABS_NAMES: readonly Renamed[] = [
  ...fused("double_blocks.*.processor.qkv_lora1", [
    "transformer_blocks.*.attn.to_q",
    "transformer_blocks.*.attn.to_k",
    "transformer_blocks.*.attn.to_v",
  ]),
  ...fused("double_blocks.*.processor.qkv_lora2", [
    "transformer_blocks.*.attn.add_q_proj",
    "transformer_blocks.*.attn.add_k_proj",
    "transformer_blocks.*.attn.add_v_proj",
  ]),
  { own: "transformer_blocks.*.attn.to_out.0", other: "double_blocks.*.processor.proj_lora1" },
  { own: "transformer_blocks.*.attn.to_add_out", other: "double_blocks.*.processor.proj_lora2" },
  ...fused("single_blocks.*.processor.qkv_lora", [
    "single_transformer_blocks.*.attn.to_q",
    "single_transformer_blocks.*.attn.to_k",
    "single_transformer_blocks.*.attn.to_v",
  ]),
  { own: "single_transformer_blocks.*.proj_out", other: "single_blocks.*.processor.proj_lora" },
];

export const FLUX1_NAMES: readonly Renamed[] = [
  { own: "x_embedder", other: "img_in" },
  { own: "context_embedder", other: "txt_in" },
  { own: `${FIRST}.timestep_embedder.linear_1`, other: "time_in.in_layer" },
  { own: `${FIRST}.timestep_embedder.linear_2`, other: "time_in.out_layer" },
  { own: `${FIRST}.text_embedder.linear_1`, other: "vector_in.in_layer" },
  { own: `${FIRST}.text_embedder.linear_2`, other: "vector_in.out_layer" },
  { own: `${FIRST}.guidance_embedder.linear_1`, other: "guidance_in.in_layer" },
  { own: `${FIRST}.guidance_embedder.linear_2`, other: "guidance_in.out_layer" },
  ...STREAM_ATTENTION,
  ...stream("img", "ff", "norm1"),
  ...stream("txt", "ff_context", "norm1_context"),
  ...SINGLE,
  { own: "proj_out", other: "final_layer.linear" },
  // Shift before scale in the file.
  { own: "norm_out.linear", other: "final_layer.adaLN_modulation.1", swapped: true },
];
