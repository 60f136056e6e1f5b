/** Qwen3 (Yang et al. 2025) as a text encoder, with transformers' names: a causal language model of which a hidden state is read. */
import { z } from "zod";
import { createBuilder, type Graph, type Value } from "../graph/index.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import type { DrawingWeights } from "./drawing.js";
import { scope, type Weights } from "./layers.js";
import { rotary } from "./rotary.js";
import { headedAttention, rmsNorm, swiGlu } from "./transformer-layers.js";

/** A parsed config. */
export interface LanguageModelConfig {
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
  /** Rows of the token embedding. */
  readonly vocabulary: number;
}

const off = (key: string) => z.literal([false, null], { error: `${key} false` }).nullish();

const schema = z.object({
  model_type: oneOf(["qwen3"], "qwen3"),
  hidden_size: integer(),
  intermediate_size: integer(),
  num_hidden_layers: integer(),
  num_attention_heads: integer(),
  num_key_value_heads: integer(),
  head_dim: integer().default(128),
  hidden_act: oneOf(["silu"], "silu"),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().nullish(),
  // transformers 5 writes the base of the frequencies here.
  rope_parameters: z
    .object({ rope_theta: z.number().positive(), rope_type: z.literal("default").default("default") })
    .nullish(),
  rope_scaling: z.null({ error: "null" }).nullish(),
  attention_bias: off("attention_bias"),
  use_sliding_window: off("use_sliding_window"),
  vocab_size: integer().default(151936),
});

/** Parses a config of Qwen3Model or Qwen3ForCausalLM. @throws UnsupportedConfigError naming the key */
export function parseLanguageModelConfig(source: ConfigFile): LanguageModelConfig {
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
    vocabulary: c.vocab_size,
  };
}

/** Length of the input and the layers whose hidden states are read. */
export interface LanguageModelShape {
  readonly tokens: number;
  /** Numbers of layers after which the hidden state is read, rising: 0 gives the token embeddings. The final norm is not applied. */
  readonly states: readonly number[];
  /** The input has padding at its end, which tokens of padding do not read: an attention bias is an input of the graph. */
  readonly padded: boolean;
}

/** Names are those of Qwen3ForCausalLM ("model.layers…") or of Qwen3Model ("layers…"). */
const withoutHead = (w: Weights): Weights => (w.has("model.embed_tokens.weight") ? w.at("model") : w);

/**
 * Builds the graph: input_ids [B, L] int64, with `padded` attention_bias [1, 1, L, L] → hidden_state [B, L, n D], the n states of a token one
 * after the other. Weights of layers after the last state are not read.
 */
export function drawLanguageModel(c: LanguageModelConfig, index: DrawingWeights, shape: LanguageModelShape): Graph {
  const g = createBuilder();
  const w = withoutHead(scope(g, index));
  const ids = g.input("input_ids", ["B", shape.tokens], "int64");
  const positions = Array.from({ length: shape.tokens }, (_, i) => [i]);
  const places = rotary(g, { axes: [c.headFeatures], theta: c.theta, product: "float32" }, positions);
  const bias = shape.padded ? g.input("attention_bias", [1, 1, shape.tokens, shape.tokens]) : undefined;
  let x: Value = g.embedding(w.get("embed_tokens.weight", [c.vocabulary, c.features]), ids);
  const states = shape.states.includes(0) ? [x] : [];
  for (let i = 0; i < Math.max(...shape.states); i++) {
    const layer = w.at("layers").at(i);
    const attended = headedAttention(g, layer.at("self_attn"), rmsNorm(g, layer.at("input_layernorm"), x, c.epsilon), {
      names: { q: "q_proj", k: "k_proj", v: "v_proj", out: "o_proj", norms: ["q_norm", "k_norm"] },
      heads: c.heads,
      keyHeads: c.keyHeads,
      width: c.headFeatures,
      rotary: places,
      interleaved: false,
      causal: bias === undefined,
      ...(bias && { bias }),
      epsilon: c.epsilon,
    });
    const h = g.add(x, attended);
    const normal = rmsNorm(g, layer.at("post_attention_layernorm"), h, c.epsilon);
    const names = { gate: "gate_proj", up: "up_proj", down: "down_proj" };
    x = g.add(h, swiGlu(g, layer.at("mlp"), normal, c.hidden, names));
    if (shape.states.includes(i + 1)) states.push(x);
  }
  return g.finish({ hidden_state: states.length === 1 ? x : g.concat(states, 2) });
}
