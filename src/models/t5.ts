/** The encoder of T5 1.1 (Raffel et al. 2020; Shazeer 2020), with the names of transformers' T5EncoderModel. */
import { z } from "zod";
import { type Builder, createBuilder, type Graph, type Value } from "../graph/index.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import type { DrawingWeights } from "./drawing.js";
import { linear, scope, type Weights } from "./layers.js";
import { rmsNorm } from "./transformer-layers.js";

/** A parsed config. */
export interface T5Config {
  /** Width of the hidden states, D. */
  readonly features: number;
  /** Width inside the feed-forward layers. */
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** Features of a head; heads · headFeatures may differ from D. */
  readonly headFeatures: number;
  readonly epsilon: number;
  /** Rows of the token embedding. */
  readonly vocabulary: number;
  /** Number of relative positions that are told apart, and the distance beyond which all are one. */
  readonly buckets: number;
  readonly farthest: number;
}

const schema = z.object({
  model_type: oneOf(["t5"], "t5"),
  d_model: integer(),
  d_ff: integer(),
  d_kv: integer().default(64),
  num_layers: integer(),
  num_heads: integer(),
  feed_forward_proj: oneOf(["gated-gelu"], "gated-gelu"),
  layer_norm_epsilon: z.number().positive().default(1e-6),
  relative_attention_num_buckets: integer().default(32),
  relative_attention_max_distance: integer().default(128),
  vocab_size: integer().default(32128),
});

/** Parses a config. @throws UnsupportedConfigError naming the key */
export function parseT5Config(source: ConfigFile): T5Config {
  const c = parseConfig(schema, source);
  return {
    features: c.d_model,
    hidden: c.d_ff,
    layers: c.num_layers,
    heads: c.num_heads,
    headFeatures: c.d_kv,
    epsilon: c.layer_norm_epsilon,
    vocabulary: c.vocab_size,
    buckets: c.relative_attention_num_buckets,
    farthest: c.relative_attention_max_distance,
  };
}

/** Length of the input, and whether its padding is hidden from attention by a mask. */
export interface T5Shape {
  readonly tokens: number;
  readonly masked: boolean;
}

/**
 * Buckets of the relative positions key − query of n tokens, [n, n] in row-major order: half of them for keys after the query; of each half
 * the first half exact, the rest logarithmic up to `farthest` (Raffel et al. 2020, §2.1).
 */
export function relativeBuckets(n: number, { buckets, farthest }: Pick<T5Config, "buckets" | "farthest">): number[] {
  const half = buckets / 2;
  const exact = Math.floor(half / 2);
  const bucketOf = (offset: number): number => {
    const distance = Math.abs(offset);
    // In float32, as transformers computes it: at the borders the rounding decides.
    const ratio = Math.fround(Math.log(Math.fround(distance / exact)));
    const beyond = Math.fround(Math.fround(ratio / Math.log(farthest / exact)) * (half - exact));
    const near = distance < exact ? distance : Math.min(half - 1, exact + Math.trunc(beyond));
    return near + (offset > 0 ? half : 0);
  };
  return Array.from({ length: n * n }, (_, i) => bucketOf((i % n) - Math.floor(i / n)));
}

/**
 * Builds the graph: input_ids [B, L] int64, position_buckets [L, L] int64 (`relativeBuckets`), with `masked` attention_bias [1, 1, L, L] →
 * hidden_state [B, L, D] after the final norm.
 */
export function drawT5(c: T5Config, index: DrawingWeights, { tokens, masked }: T5Shape): Graph {
  const g = createBuilder();
  const w = scope(g, index);
  const ids = g.input("input_ids", ["B", tokens], "int64");
  // Some files have the table under its name in the encoder alone.
  const table = w.has("shared.weight") ? w.at("shared") : w.at("encoder.embed_tokens");
  const bias = positionBias(g, w.at("encoder.block.0.layer.0.SelfAttention"), c, tokens);
  const hidden = masked ? g.add(bias, g.input("attention_bias", [1, 1, tokens, tokens])) : bias;
  let x: Value = g.embedding(table.get("weight", [c.vocabulary, c.features]), ids);
  for (let i = 0; i < c.layers; i++) {
    const layers = w.at("encoder.block").at(i).at("layer");
    const attn = layers.at(0);
    x = g.add(x, attention(g, attn.at("SelfAttention"), rmsNorm(g, attn.at("layer_norm"), x, c.epsilon), hidden, c));
    const feed = layers.at(1);
    x = g.add(x, feedForward(g, feed.at("DenseReluDense"), rmsNorm(g, feed.at("layer_norm"), x, c.epsilon), c));
  }
  return g.finish({ hidden_state: rmsNorm(g, w.at("encoder.final_layer_norm"), x, c.epsilon) });
}

/** Bias [1, heads, L, L] of the relative positions. Layer 0 has the table of all layers. */
function positionBias(g: Builder, w: Weights, c: T5Config, tokens: number): Value {
  const buckets = g.input("position_buckets", [tokens, tokens], "int64");
  const table = w.get("relative_attention_bias.weight", [c.buckets, c.heads]);
  return g.reshape(g.transpose(g.embedding(table, buckets), [2, 0, 1]), [1, c.heads, tokens, tokens]);
}

/** Self-attention without biases; scores are not divided by √d. x [B, L, D] → [B, L, D]. */
function attention(g: Builder, w: Weights, x: Value, bias: Value, c: T5Config): Value {
  const inner = c.heads * c.headFeatures;
  const part = (name: string) => linear(g, w.at(name), x, inner, { bias: false });
  const mixed = g.attention(part("q"), part("k"), part("v"), { heads: c.heads, bias, scale: 1 });
  return linear(g, w.at("o"), mixed, c.features, { bias: false });
}

/** wo (gelu(wi_0 x) ∘ wi_1 x) with the tanh GELU (GEGLU: Shazeer 2020). x [B, L, D] → [B, L, D]. */
function feedForward(g: Builder, w: Weights, x: Value, c: T5Config): Value {
  const part = (name: string) => linear(g, w.at(name), x, c.hidden, { bias: false });
  return linear(g, w.at("wo"), g.mul(g.geluTanh(part("wi_0")), part("wi_1")), c.features, { bias: false });
}
