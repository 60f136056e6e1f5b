/** Tensor names of Stable Diffusion 3's transformer: those of Stability AI's own code, which single files, ComfyUI and GGUF files have, and those of diffusers. */
import { fused, type Renamed } from "./transformer.js";

const FIRST = "time_text_embed";
const BLOCK = "transformer_blocks.*";

/** Attention and feed-forward of a stream. */
const stream = (name: "x" | "context", own: StreamNames): Renamed[] => {
  const other = `joint_blocks.*.${name}_block`;
  return [
    ...fused(
      `${other}.attn.qkv`,
      own.qkv.map((part) => `${BLOCK}.attn.${part}`),
    ),
    { own: `${BLOCK}.attn.${own.out}`, other: `${other}.attn.proj` },
    { own: `${BLOCK}.attn.${own.norms[0]}`, other: `${other}.attn.ln_q` },
    { own: `${BLOCK}.attn.${own.norms[1]}`, other: `${other}.attn.ln_k` },
    { own: `${BLOCK}.${own.feed}.net.0.proj`, other: `${other}.mlp.fc1` },
    { own: `${BLOCK}.${own.feed}.net.2`, other: `${other}.mlp.fc2` },
  ];
};

interface StreamNames {
  readonly qkv: readonly string[];
  readonly out: string;
  readonly norms: readonly [string, string];
  readonly feed: string;
}

export const SD3_NAMES: readonly Renamed[] = [
  { own: "pos_embed.pos_embed", other: "pos_embed" },
  { own: "pos_embed.proj", other: "x_embedder.proj" },
  { own: `${FIRST}.timestep_embedder.linear_1`, other: "t_embedder.mlp.0" },
  { own: `${FIRST}.timestep_embedder.linear_2`, other: "t_embedder.mlp.2" },
  { own: `${FIRST}.text_embedder.linear_1`, other: "y_embedder.mlp.0" },
  { own: `${FIRST}.text_embedder.linear_2`, other: "y_embedder.mlp.2" },
  ...stream("x", { qkv: ["to_q", "to_k", "to_v"], out: "to_out.0", norms: ["norm_q", "norm_k"], feed: "ff" }),
  ...stream("context", {
    qkv: ["add_q_proj", "add_k_proj", "add_v_proj"],
    out: "to_add_out",
    norms: ["norm_added_q", "norm_added_k"],
    feed: "ff_context",
  }),
  ...fused("joint_blocks.*.x_block.attn2.qkv", [`${BLOCK}.attn2.to_q`, `${BLOCK}.attn2.to_k`, `${BLOCK}.attn2.to_v`]),
  { own: `${BLOCK}.attn2.to_out.0`, other: "joint_blocks.*.x_block.attn2.proj" },
  { own: `${BLOCK}.attn2.norm_q`, other: "joint_blocks.*.x_block.attn2.ln_q" },
  { own: `${BLOCK}.attn2.norm_k`, other: "joint_blocks.*.x_block.attn2.ln_k" },
  { own: `${BLOCK}.norm1.linear`, other: "joint_blocks.*.x_block.adaLN_modulation.1" },
  { own: `${BLOCK}.norm1_context.linear`, other: "joint_blocks.*.context_block.adaLN_modulation.1", blocks: "others" },
  { own: "proj_out", other: "final_layer.linear" },
  // Shift before scale in the file, where these two are all.
  {
    own: `${BLOCK}.norm1_context.linear`,
    other: "joint_blocks.*.context_block.adaLN_modulation.1",
    swapped: true,
    blocks: "last",
  },
  { own: "norm_out.linear", other: "final_layer.adaLN_modulation.1", swapped: true },
];
