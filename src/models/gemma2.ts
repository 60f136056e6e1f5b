/** Gemma 2 (Gemma Team 2024) as a text encoder, with transformers' names: a causal language model of which the last hidden state is read. */
import { z } from "zod";
import { RequestError } from "../errors.js";
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import type { DrawingWeights } from "./drawing.js";
import { linear, scope, type Weights } from "./layers.js";
import { type Rotary, rotary } from "./rotary.js";

/** A parsed config. */
export interface Gemma2Config {
  /** Width of the hidden states, D. */
  readonly features: number;
  /** Width inside the feed-forward layers. */
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values. */
  readonly keyHeads: number;
  /** Features of a head. */
  readonly headFeatures: number;
  readonly epsilon: number;
  /** Base of the rotary embedding's frequencies. */
  readonly theta: number;
  /** Queries are divided by the square root of this. */
  readonly queryScalar: number;
  /** Attention scores s become c tanh(s / c); null where they stay. */
  readonly softCap: number | null;
  /** Tokens that every second layer looks back on; null for all. */
  readonly window: number | null;
  /** Rows of the token embedding. */
  readonly vocabulary: number;
  /** Whether norms scale by 1 + weight; else by the weight, in which llama.cpp has added the 1. */
  readonly unitOffset: boolean;
}

const schema = z.object({
  model_type: oneOf(["gemma2"], "gemma2"),
  hidden_size: integer(),
  intermediate_size: integer(),
  num_hidden_layers: integer(),
  num_attention_heads: integer(),
  num_key_value_heads: integer(),
  head_dim: integer().default(256),
  hidden_activation: oneOf(["gelu_pytorch_tanh"], "gelu_pytorch_tanh"),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().nullish(),
  // transformers 5 writes the base of the frequencies here.
  rope_parameters: z
    .object({ rope_theta: z.number().positive(), rope_type: z.literal("default").default("default") })
    .nullish(),
  attention_bias: oneOf([false], false),
  query_pre_attn_scalar: z.number().positive().default(256),
  attn_logit_softcapping: z.number().positive().nullable().default(50),
  sliding_window: integer().nullable().default(4096),
  vocab_size: integer().default(256_000),
  // Not a key of transformers: the name is that of Google's own code.
  add_unit_offset: z.boolean().default(true),
});

/** Parses a config of Gemma2Model or Gemma2ForCausalLM. @throws UnsupportedConfigError naming the key */
export function parseGemma2Config(source: ConfigFile): Gemma2Config {
  const c = parseConfig(schema, source);
  return {
    features: c.hidden_size,
    hidden: c.intermediate_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    keyHeads: c.num_key_value_heads,
    headFeatures: c.head_dim,
    epsilon: c.rms_norm_eps,
    theta: c.rope_parameters?.rope_theta ?? c.rope_theta ?? 10_000,
    queryScalar: c.query_pre_attn_scalar,
    softCap: c.attn_logit_softcapping,
    window: c.sliding_window,
    vocabulary: c.vocab_size,
    unitOffset: c.add_unit_offset,
  };
}

/** Length of the input. */
export interface Gemma2Shape {
  readonly tokens: number;
}

const scalar = (g: Builder, value: number): Value => g.constant([], Float32Array.of(value));

/** RMS norm whose scale is 1 + weight, or the weight. x […, D] → same. */
function norm(g: Builder, w: Weights, x: Value, { epsilon, unitOffset }: Gemma2Config): Value {
  const weight = w.get("weight", [known(x.shape.at(-1))]);
  return g.rmsNorm(x, unitOffset ? g.add(weight, scalar(g, 1)) : weight, epsilon);
}

/**
 * Builds the graph: input_ids [B, L] int64, attention_bias [1, 1, L, L], which hides later tokens → hidden_state [B, L, D] after the final norm.
 * @throws RequestError for more tokens than every layer looks back on
 */
export function drawGemma2(c: Gemma2Config, index: DrawingWeights, { tokens }: Gemma2Shape): Graph {
  if (c.window !== null && tokens > c.window) {
    throw new RequestError(`a text of ${tokens} tokens: this Gemma 2 reads at most ${c.window} (sliding_window)`);
  }
  const g = createBuilder();
  const root = scope(g, index);
  // Names are those of Gemma2ForCausalLM ("model.layers…") or of Gemma2Model ("layers…").
  const w = root.has("model.embed_tokens.weight") ? root.at("model") : root;
  const ids = g.input("input_ids", ["B", tokens], "int64");
  const bias = g.input("attention_bias", [1, 1, tokens, tokens]);
  const positions = Array.from({ length: tokens }, (_, i) => [i]);
  const places = rotary(g, { axes: [c.headFeatures], theta: c.theta, product: "float32" }, positions);
  const table = w.get("embed_tokens.weight", [c.vocabulary, c.features]);
  let x: Value = g.mul(g.embedding(table, ids), scalar(g, Math.sqrt(c.features)));
  for (let i = 0; i < c.layers; i++) {
    const layer = w.at("layers").at(i);
    const normed = (name: string, y: Value) => norm(g, layer.at(name), y, c);
    const attended = attention(g, layer.at("self_attn"), normed("input_layernorm", x), { places, bias }, c);
    x = g.add(x, normed("post_attention_layernorm", attended));
    const fed = feedForward(g, layer.at("mlp"), normed("pre_feedforward_layernorm", x), c);
    x = g.add(x, normed("post_feedforward_layernorm", fed));
  }
  return g.finish({ hidden_state: norm(g, w.at("norm"), x, c) });
}

/** Self-attention with rotated heads and bounded scores; several heads of queries share one of keys and values. x [B, L, D] → same. */
function attention(
  g: Builder,
  w: Weights,
  x: Value,
  { places, bias }: { readonly places: Rotary; readonly bias: Value },
  c: Gemma2Config,
): Value {
  const [batch = 1, length = 1] = x.shape;
  const rows = (c.heads / c.keyHeads) * known(length);
  const part = (name: string, heads: number) => linear(g, w.at(name), x, heads * c.headFeatures, { bias: false });
  const turned = (y: Value) => g.rope(y, places.cos, places.sin, { interleaved: false });
  const split = (y: Value, heads: number, order: readonly number[]) =>
    g.transpose(g.reshape(y, [batch, length, heads, c.headFeatures]), order);
  // Scaled before the product, whose values float16 may not hold.
  const queries = g.mul(turned(part("q_proj", c.heads)), scalar(g, 1 / Math.sqrt(c.queryScalar)));
  const q = g.reshape(split(queries, c.heads, [0, 2, 1, 3]), [batch, c.keyHeads, rows, c.headFeatures]);
  const k = split(turned(part("k_proj", c.keyHeads)), c.keyHeads, [0, 2, 3, 1]);
  const v = split(part("v_proj", c.keyHeads), c.keyHeads, [0, 2, 1, 3]);
  const scores = g.reshape(g.matmul(q, k), [batch, c.heads, length, length]);
  const capped = c.softCap === null ? scores : g.mul(g.tanh(g.div(scores, scalar(g, c.softCap))), scalar(g, c.softCap));
  const weights = g.reshape(g.softmax(g.add(capped, bias)), [batch, c.keyHeads, rows, length]);
  const mixed = g.reshape(g.matmul(weights, v), [batch, c.heads, length, c.headFeatures]);
  const joined = g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [batch, length, c.heads * c.headFeatures]);
  return linear(g, w.at("o_proj"), joined, c.features, { bias: false });
}

/** down (gelu(gate x) ∘ up x) with the tanh GELU (GEGLU: Shazeer 2020). x [B, L, D] → same. */
function feedForward(g: Builder, w: Weights, x: Value, c: Gemma2Config): Value {
  const part = (name: string) => linear(g, w.at(name), x, c.hidden, { bias: false });
  return linear(g, w.at("down_proj"), g.mul(g.geluTanh(part("gate_proj")), part("up_proj")), c.features, {
    bias: false,
  });
}
