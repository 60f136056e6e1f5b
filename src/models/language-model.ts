/** Qwen3 (Yang et al. 2025) and the language part of Qwen2.5-VL (Bai et al. 2025) as text encoders, with transformers' names: causal language models of which a hidden state is read. */
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
  /** Heads of queries and keys are normalised (Qwen3). */
  readonly normsHeads: boolean;
  /** Projections of queries, keys and values have biases (Qwen2.5-VL). */
  readonly bias: boolean;
}

const off = (key: string) => z.literal([false, null], { error: `${key} false` }).nullish();

const sizes = z.object({
  hidden_size: integer(),
  intermediate_size: integer(),
  num_hidden_layers: integer(),
  num_attention_heads: integer(),
  num_key_value_heads: integer(),
  hidden_act: oneOf(["silu"], "silu"),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().nullish(),
  // transformers 5 writes the base of the frequencies here.
  rope_parameters: z
    .object({ rope_theta: z.number().positive(), rope_type: z.literal("default").default("default") })
    .nullish(),
  use_sliding_window: off("use_sliding_window"),
});

const qwen3Schema = sizes.extend({
  head_dim: integer().default(128),
  rope_scaling: z.null({ error: "null" }).nullish(),
  attention_bias: off("attention_bias"),
  vocab_size: integer().default(151936),
});

/** Positions of text have the same number on all axes, for which a rotary embedding by axes is the plain one. */
const byAxes = z.object({ type: z.literal(["default", "mrope"], { error: "default, mrope" }).default("default") });
const qwen25Schema = sizes.extend({
  rope_scaling: byAxes.nullish(),
  vocab_size: integer().default(152064),
});

/** Qwen2.5-VL's whole config, whose language part newer versions of transformers write apart. */
const WHOLE = "qwen2_5_vl";
const TYPES = ["qwen3", WHOLE, "qwen2_5_vl_text"] as const;
const typeSchema = z.object({ model_type: oneOf(TYPES, "qwen3") });

/**
 * Parses a config of Qwen3Model, Qwen3ForCausalLM or, for its language part, Qwen2_5_VLForConditionalGeneration.
 * @throws UnsupportedConfigError naming the key
 */
export function parseLanguageModelConfig(source: ConfigFile): LanguageModelConfig {
  const type = parseConfig(typeSchema, source).model_type;
  if (type === "qwen3") {
    const c = parseConfig(qwen3Schema, source);
    return { ...sizesOf(c, 10_000), headFeatures: c.head_dim, vocabulary: c.vocab_size, normsHeads: true, bias: false };
  }
  const part = z.record(z.string(), z.unknown()).safeParse(source.config["text_config"]).data;
  const c = parseConfig(qwen25Schema, part && type === WHOLE ? { ...source, config: part } : source);
  const headFeatures = c.hidden_size / c.num_attention_heads;
  return { ...sizesOf(c, 1_000_000), headFeatures, vocabulary: c.vocab_size, normsHeads: false, bias: true };
}

/** The fields that both models write alike. @param theta base of the frequencies where the config has none */
function sizesOf(c: z.output<typeof sizes>, theta: number) {
  return {
    features: c.hidden_size,
    hidden: c.intermediate_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    keyHeads: c.num_key_value_heads,
    epsilon: c.rms_norm_eps,
    theta: c.rope_parameters?.rope_theta ?? c.rope_theta ?? theta,
  };
}

/** Length of the input and the layers whose hidden states are read. */
export interface LanguageModelShape {
  readonly tokens: number;
  /** Numbers of layers after which the hidden state is read, rising: 0 gives the token embeddings. */
  readonly states: readonly number[];
  /** The final norm is applied to them. Default false. */
  readonly finalNorm?: boolean;
  /** The input has padding at its end, which tokens of padding do not read: an attention bias is an input of the graph. */
  readonly padded: boolean;
}

/** Prefixes of names: of a model without its head, with it, and of one part of a model that reads images too, in transformers 5. */
const PREFIXES = ["model", "model.language_model", "language_model"] as const;

/** The weights of the language model alone. */
function withoutHead(w: Weights): Weights {
  const prefix = PREFIXES.find((name) => w.has(`${name}.embed_tokens.weight`));
  return prefix === undefined ? w : w.at(prefix);
}

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
      names: {
        q: "q_proj",
        k: "k_proj",
        v: "v_proj",
        out: "o_proj",
        norms: c.normsHeads ? ["q_norm", "k_norm"] : null,
      },
      bias: c.bias,
      heads: c.heads,
      keyHeads: c.keyHeads,
      width: c.headFeatures,
      rotary: places,
      interleaved: false,
      causal: bias === undefined,
      ...(bias && { scores: bias }),
      epsilon: c.epsilon,
    });
    const h = g.add(x, attended);
    const normal = rmsNorm(g, layer.at("post_attention_layernorm"), h, c.epsilon);
    const names = { gate: "gate_proj", up: "up_proj", down: "down_proj" };
    x = g.add(h, swiGlu(g, layer.at("mlp"), normal, c.hidden, names));
    if (shape.states.includes(i + 1)) states.push(x);
  }
  const read = shape.finalNorm ? states.map((state) => rmsNorm(g, w.at("norm"), state, c.epsilon)) : states;
  const [first = x] = read;
  return g.finish({ hidden_state: read.length === 1 ? first : g.concat(read, 2) });
}
