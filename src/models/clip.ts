/** CLIP (Radford et al. 2021): the text encoders of Stable Diffusion, and the text and image towers that compare images with prompts. */

import { z } from "zod";
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { WeightIndex } from "../tensor/index.js";
import { type ConfigFile, integer, parseConfig } from "./config.js";
import type { DrawingWeights } from "./drawing.js";
import { conv, layerNorm, linear, scope, type Weights } from "./layers.js";

interface TowerConfig {
  /** Width of the hidden states, D. */
  readonly features: number;
  /** Width inside the feed-forward layers. */
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly activation: "gelu" | "quickGelu";
  /** Epsilon of the layer norms. */
  readonly epsilon: number;
  /** Width of the projected embedding, P. */
  readonly projection: number;
}

/** A parsed CLIPTextModel config. */
export interface TextEncoderConfig extends TowerConfig {
  /** Rows of the token embedding. */
  readonly vocabulary: number;
  /** Longest input in tokens. */
  readonly positions: number;
  /** Id of the token whose state is pooled; 2 means the largest id of the input, as in configs from before transformers 4.31. */
  readonly eosToken: number;
}

/** The parsed vision config of a CLIPModel; sides in pixels. */
export interface ImageEncoderConfig extends TowerConfig {
  readonly imageSize: number;
  readonly patchSize: number;
  readonly pixelChannels: number;
}

/** An image tower for gradients of embeddings towards pixels: input `image` [B, 3, size, size], normalised by `mean` and `std`; output `image_embeds` [B, P]. */
export interface ImageTower {
  readonly size: number;
  /** Of values in 0…1, for red, green, blue. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly draw: (index: DrawingWeights) => Graph;
  readonly weights: () => Promise<WeightIndex>;
}

const towerSchema = z.object({
  hidden_size: integer(),
  intermediate_size: integer(),
  num_hidden_layers: integer(),
  num_attention_heads: integer(),
  hidden_act: z.enum(["quick_gelu", "gelu"], { error: "quick_gelu, gelu" }).default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
  projection_dim: integer().default(512),
});
const textSchema = towerSchema.extend({
  vocab_size: integer().default(49408),
  max_position_embeddings: integer().default(77),
  eos_token_id: z.int().nullish(),
});
const imageSchema = towerSchema.extend({
  image_size: integer().default(224),
  patch_size: integer().default(32),
  num_channels: integer().default(3),
});

const tower = (c: z.output<typeof towerSchema>): TowerConfig => ({
  features: c.hidden_size,
  hidden: c.intermediate_size,
  layers: c.num_hidden_layers,
  heads: c.num_attention_heads,
  activation: c.hidden_act === "gelu" ? "gelu" : "quickGelu",
  epsilon: c.layer_norm_eps,
  projection: c.projection_dim,
});

/** Parses a CLIPTextModel config. @throws UnsupportedConfigError naming the key */
export function parseTextEncoderConfig(source: ConfigFile): TextEncoderConfig {
  const c = parseConfig(textSchema, source);
  return {
    ...tower(c),
    vocabulary: c.vocab_size,
    positions: c.max_position_embeddings,
    eosToken: c.eos_token_id ?? 49407,
  };
}

/** Parses the vision config of a CLIPModel. @throws UnsupportedConfigError naming the key */
export function parseImageEncoderConfig(source: ConfigFile): ImageEncoderConfig {
  const c = parseConfig(imageSchema, source);
  return { ...tower(c), imageSize: c.image_size, patchSize: c.patch_size, pixelChannels: c.num_channels };
}

/** Parses a CLIPModel config into its text and vision configs. @throws UnsupportedConfigError naming the key */
export function parseClipConfig(source: ConfigFile): { text: TextEncoderConfig; image: ImageEncoderConfig } {
  const c = parseConfig(
    z.object({
      text_config: z.record(z.string(), z.unknown()),
      vision_config: z.record(z.string(), z.unknown()),
      projection_dim: integer().default(512),
    }),
    source,
  );
  const half = (config: Record<string, unknown>) => ({
    file: source.file,
    config: { ...config, projection_dim: c.projection_dim },
  });
  return { text: parseTextEncoderConfig(half(c.text_config)), image: parseImageEncoderConfig(half(c.vision_config)) };
}

/** Everything but the config that a text encoder's graph depends on. */
export interface TextEncoderShape {
  /** Length of the input, L. */
  readonly tokens: number;
  /**
   * Hidden state to return: the output of the layer `back` layers before the last, or the embeddings for `back` = number of layers
   * (`hidden_states[-(back + 1)]` in transformers). `finalNorm` applies the final layer norm to it.
   */
  readonly state: { readonly back: number; readonly finalNorm: boolean };
  /** Also return the pooled text, after the text projection or without. */
  readonly pooled: boolean | "unprojected";
  /** Take textual-inversion embeddings, which are not in the vocabulary, as inputs; default false. */
  readonly textualInversion?: boolean;
}

/**
 * Builds a text encoder's graph. Names may have the prefix `text_model.` or lack it.
 *
 * Inputs: input_ids [B, L] int64; with `pooled` pooled_index [B] int64; with `textualInversion` textual_inversion [B, L, D] and
 * vocabulary_mask [B, L, 1], which is 0 at positions that take their embedding from textual_inversion and 1 elsewhere.
 * Outputs: hidden_state [B, L, D]; with `pooled` text_embeds [B, P], unprojected [B, D].
 * @throws WeightMissingError, WeightShapeError; RangeError when the encoder does not have the hidden state
 */
export function drawTextEncoder(c: TextEncoderConfig, index: DrawingWeights, shape: TextEncoderShape): Graph {
  const g = createBuilder();
  const root = scope(g, index);
  const w = root.has("text_model") ? root.at("text_model") : root;
  const ids = g.input("input_ids", ["B", shape.tokens], "int64");
  const embedded = g.embedding(w.at("embeddings").at("token_embedding").get("weight", [c.vocabulary, c.features]), ids);
  const table = w.at("embeddings").at("position_embedding").get("weight", [c.positions, c.features]);
  const positions = shape.tokens === c.positions ? table : g.slice(table, 0, 0, shape.tokens);
  const tokens = shape.textualInversion
    ? g.add(
        g.mul(embedded, g.input("vocabulary_mask", ["B", shape.tokens, 1])),
        g.input("textual_inversion", ["B", shape.tokens, c.features]),
      )
    : embedded;
  const states = [g.add(tokens, positions)];
  for (let i = 0; i < c.layers; i++) {
    const last = states.at(-1);
    if (last) states.push(layer(g, c, w.at("encoder").at("layers").at(i), last, true));
  }
  const state = (back: number) => {
    const found = states.at(-1 - back);
    if (!found)
      throw new RangeError(`hidden state ${-1 - back} is out of range; the text encoder has ${c.layers} layers`);
    return found;
  };
  const norm = (x: Value) => layerNorm(g, w.at("final_layer_norm"), x, c.epsilon);
  const hidden = state(shape.state.back);
  const outputs = { hidden_state: shape.state.finalNorm ? norm(hidden) : hidden };
  if (!shape.pooled) return g.finish(outputs);
  const pooled = g.pickRow(norm(state(0)), g.input("pooled_index", ["B"], "int64"));
  const embeds =
    shape.pooled === "unprojected"
      ? pooled
      : linear(g, root.at("text_projection"), pooled, c.projection, { bias: false });
  return g.finish({ ...outputs, text_embeds: embeds });
}

/** Position of the pooled token: the first `eosToken`, or with an `eosToken` of 2 the first largest id; 0 where there is none. */
export function pooledIndex(ids: readonly number[], eosToken: number): number {
  const wanted = eosToken === 2 ? Math.max(...ids) : eosToken;
  return Math.max(0, ids.indexOf(wanted));
}

/**
 * Builds the image tower's graph. Input: image [B, 3, S, S], normalised by CLIP's mean and standard deviation. Output: image_embeds
 * [B, P], not normalised.
 * @throws WeightMissingError, WeightShapeError
 */
export function drawImageEncoder(c: ImageEncoderConfig, index: DrawingWeights): Graph {
  const g = createBuilder();
  const root = scope(g, index);
  const w = root.at("vision_model");
  const embeddings = w.at("embeddings");
  const side = Math.floor(c.imageSize / c.patchSize);
  const image = g.input("image", ["B", c.pixelChannels, c.imageSize, c.imageSize]);
  const patches = conv(g, embeddings.at("patch_embedding"), image, c.features, {
    kernel: c.patchSize,
    stride: c.patchSize,
    pads: [0, 0, 0, 0],
    bias: false,
  });
  const tokens = g.transpose(g.reshape(patches, ["B", c.features, side * side]), [0, 2, 1]);
  const start = g.reshape(embeddings.get("class_embedding", [c.features]), [1, 1, c.features]);
  const places = embeddings.at("position_embedding").get("weight", [side * side + 1, c.features]);
  let x = g.add(g.concat([g.expandBatch(start, image), tokens], 1), places);
  // The name is misspelt in the checkpoints.
  x = layerNorm(g, w.at("pre_layrnorm"), x, c.epsilon);
  for (let i = 0; i < c.layers; i++) x = layer(g, c, w.at("encoder").at("layers").at(i), x, false);
  const first = g.reshape(g.slice(x, 1, 0, 1), ["B", c.features]);
  const pooled = layerNorm(g, w.at("post_layernorm"), first, c.epsilon);
  return g.finish({ image_embeds: linear(g, root.at("visual_projection"), pooled, c.projection, { bias: false }) });
}

/** Pre-norm transformer layer: attention, then feed-forward, each with a residual connection. x [B, L, D] → same. */
function layer(g: Builder, c: TowerConfig, w: Weights, input: Value, causal: boolean): Value {
  const size = known(input.shape[2]);
  const attn = w.at("self_attn");
  const normed = layerNorm(g, w.at("layer_norm1"), input, c.epsilon);
  const q = linear(g, attn.at("q_proj"), normed, size);
  const k = linear(g, attn.at("k_proj"), normed, size);
  const v = linear(g, attn.at("v_proj"), normed, size);
  const x = g.add(input, linear(g, attn.at("out_proj"), g.attention(q, k, v, { heads: c.heads, causal }), size));
  const mlp = w.at("mlp");
  const h = linear(g, mlp.at("fc1"), layerNorm(g, w.at("layer_norm2"), x, c.epsilon), c.hidden);
  return g.add(x, linear(g, mlp.at("fc2"), g[c.activation](h), size));
}
