/** Tensor names of Gemma 2 in GGUF files, as llama.cpp writes them, and those of transformers' Gemma2Model. */
import type { Renamed } from "./transformer.js";

export const GEMMA2_NAMES: readonly Renamed[] = [
  { own: "embed_tokens", other: "token_embd" },
  { own: "norm", other: "output_norm" },
  { own: "layers.*.input_layernorm", other: "blk.*.attn_norm" },
  { own: "layers.*.post_attention_layernorm", other: "blk.*.post_attention_norm" },
  { own: "layers.*.pre_feedforward_layernorm", other: "blk.*.ffn_norm" },
  { own: "layers.*.post_feedforward_layernorm", other: "blk.*.post_ffw_norm" },
  { own: "layers.*.self_attn.q_proj", other: "blk.*.attn_q" },
  { own: "layers.*.self_attn.k_proj", other: "blk.*.attn_k" },
  { own: "layers.*.self_attn.v_proj", other: "blk.*.attn_v" },
  { own: "layers.*.self_attn.o_proj", other: "blk.*.attn_output" },
  { own: "layers.*.mlp.gate_proj", other: "blk.*.ffn_gate" },
  { own: "layers.*.mlp.up_proj", other: "blk.*.ffn_up" },
  { own: "layers.*.mlp.down_proj", other: "blk.*.ffn_down" },
];
