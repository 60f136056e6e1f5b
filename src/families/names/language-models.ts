/** Tensor names of language models in GGUF files, as llama.cpp writes them, and those of transformers. */
import type { Renamed } from "./transformer.js";

const LAYERS: readonly Renamed[] = [
  { own: "embed_tokens", other: "token_embd" },
  { own: "norm", other: "output_norm" },
  { own: "layers.*.input_layernorm", other: "blk.*.attn_norm" },
  { own: "layers.*.self_attn.q_proj", other: "blk.*.attn_q" },
  { own: "layers.*.self_attn.k_proj", other: "blk.*.attn_k" },
  { own: "layers.*.self_attn.v_proj", other: "blk.*.attn_v" },
  { own: "layers.*.self_attn.o_proj", other: "blk.*.attn_output" },
  { own: "layers.*.mlp.gate_proj", other: "blk.*.ffn_gate" },
  { own: "layers.*.mlp.up_proj", other: "blk.*.ffn_up" },
  { own: "layers.*.mlp.down_proj", other: "blk.*.ffn_down" },
];

/** Qwen3Model, and the language part of Qwen2.5-VL, which has no norms of heads. */
export const QWEN_NAMES: readonly Renamed[] = [
  ...LAYERS,
  { own: "layers.*.post_attention_layernorm", other: "blk.*.ffn_norm" },
  { own: "layers.*.self_attn.q_norm", other: "blk.*.attn_q_norm" },
  { own: "layers.*.self_attn.k_norm", other: "blk.*.attn_k_norm" },
];

/** Gemma2Model, in whose files the weights of norms have 1 added. */
export const GEMMA2_NAMES: readonly Renamed[] = [
  ...LAYERS,
  { own: "layers.*.post_attention_layernorm", other: "blk.*.post_attention_norm" },
  { own: "layers.*.pre_feedforward_layernorm", other: "blk.*.ffn_norm" },
  { own: "layers.*.post_feedforward_layernorm", other: "blk.*.post_ffw_norm" },
];
