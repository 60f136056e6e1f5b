/** Tensor names of T5's encoder in GGUF files, as llama.cpp writes them, and those of transformers' T5EncoderModel. */
import type { Renamed } from "./transformer.js";

const block = (own: string, other: string): Renamed => ({
  own: `encoder.block.*.layer.${own}`,
  other: `enc.blk.*.${other}`,
});

export const T5_NAMES: readonly Renamed[] = [
  { own: "shared", other: "token_embd" },
  { own: "encoder.final_layer_norm", other: "enc.output_norm" },
  block("0.SelfAttention.relative_attention_bias", "attn_rel_b"),
  block("0.layer_norm", "attn_norm"),
  block("0.SelfAttention.q", "attn_q"),
  block("0.SelfAttention.k", "attn_k"),
  block("0.SelfAttention.v", "attn_v"),
  block("0.SelfAttention.o", "attn_o"),
  block("1.layer_norm", "ffn_norm"),
  block("1.DenseReluDense.wi_0", "ffn_gate"),
  block("1.DenseReluDense.wi_1", "ffn_up"),
  block("1.DenseReluDense.wo", "ffn_down"),
];
