/**
 * The transformer of SANA (Xie et al. 2024, figure 5) and SANA-Sprint (Chen et al. 2025), with the names of diffusers' SanaTransformer2DModel:
 * linear attention among image tokens, attention to the text, and convolutions in place of a feed-forward network.
 */
import { type Builder, createBuilder, type Graph, type Value } from "../graph/index.js";
import type { DenoiserShape } from "./denoiser.js";
import type { DrawingWeights } from "./drawing.js";
import { conv, linear, scope, toImage, toTokens, type Weights } from "./layers.js";
import { gatedConvolutions, linearAttention } from "./linear-attention.js";
import type { SanaConfig } from "./sana-config.js";
import { gated, keyBias, modulated } from "./streams.js";
import { embeddedScalar, modulations, rmsNorm } from "./transformer-layers.js";

/** Features of the sinusoidal embeddings of the time and of the guidance scale. */
const SCALAR_FEATURES = 256;
/** Epsilons that the same class has in every config: of normalised text, queries and keys, and of the last norm. */
const TEXT_EPSILON = 1e-5;
const HEAD_EPSILON = 1e-5;
const LAST_EPSILON = 1e-6;

/**
 * Builds the graph: sample [B, C, H, W], timestep [B] (1000 σ), encoder_hidden_states [B, L, F], attention_mask [B, L] (0 for tokens that are
 * hidden), with an embedded guidance scale guidance [B] → prediction [B, C, H, W], the velocity ε − x0.
 */
export function drawSana(c: SanaConfig, index: DrawingWeights, { height, width, tokens }: DenoiserShape): Graph {
  const g = createBuilder();
  const w = scope(g, index);
  const length = height * width;
  const sample = g.input("sample", ["B", c.channels, height, width]);
  const text = textTokens(g, w, c, g.input("encoder_hidden_states", ["B", tokens, c.textFeatures]));
  const hidden = keyBias(g, g.input("attention_mask", ["B", tokens]), tokens, length);
  const time = timeEmbedding(g, w.at("time_embed"), c);
  const modulation = linear(g, w.at("time_embed.linear"), g.silu(time), 6 * c.features);

  const patches = toTokens(g, conv(g, w.at("patch_embed.proj"), sample, c.features, { kernel: 1 }));
  let x = c.positionScale === null ? patches : g.add(patches, positions(g, c, height, width));
  for (let i = 0; i < c.layers; i++) {
    const block = w.at("transformer_blocks").at(i);
    const [shift, scale, gate, shift2, scale2, gate2] = modulations(g, g.add(modulation, table(block, 6, c)), 6);
    const attended = selfAttention(g, block.at("attn1"), modulated(g, x, shift, scale, c.epsilon), c);
    x = gated(g, x, gate, attended);
    x = g.add(x, crossAttention(g, block.at("attn2"), x, text, hidden, c));
    const map = toImage(g, modulated(g, x, shift2, scale2, c.epsilon), height, width);
    x = gated(g, x, gate2, toTokens(g, gatedConvolutions(g, block.at("ff"), map, c.hidden)));
  }
  const [shift, scale] = modulations(g, g.add(g.concat([time, time], 1), table(w, 2, c)), 2);
  const velocity = linear(g, w.at("proj_out"), modulated(g, x, shift, scale, LAST_EPSILON), c.predicted);
  return g.finish({ prediction: toImage(g, velocity, height, width) });

  /** Learned modulation [1, n D], the same at all times. */
  function table(own: Weights, n: number, { features }: SanaConfig): Value {
    return g.reshape(own.get("scale_shift_table", [n, features]), [1, n * features]);
  }
}

/** Projected text [B, L, D], normalised. */
function textTokens(g: Builder, w: Weights, c: SanaConfig, states: Value): Value {
  const projection = w.at("caption_projection");
  const inner = g.geluTanh(linear(g, projection.at("linear_1"), states, c.features));
  return rmsNorm(g, w.at("caption_norm"), linear(g, projection.at("linear_2"), inner, c.features), TEXT_EPSILON);
}

/** Embedding [B, D] of 1000 σ; with a guidance scale beside it of σ, which SANA-Sprint takes instead, and of that scale. */
function timeEmbedding(g: Builder, w: Weights, c: SanaConfig): Value {
  const scaled = (name: string, factor: number) => g.mul(g.input(name, ["B"]), g.constant([], Float32Array.of(factor)));
  const o = { features: SCALAR_FEATURES, out: c.features, bias: true };
  if (c.guidanceScale === null) {
    return embeddedScalar(g, w.at("emb.timestep_embedder"), scaled("timestep", c.timeScale), o);
  }
  const time = embeddedScalar(g, w.at("timestep_embedder"), scaled("timestep", 1 / 1000), o);
  return g.add(time, embeddedScalar(g, w.at("guidance_embedder"), scaled("guidance", c.guidanceScale), o));
}

/** Queries, keys and values; queries and keys are normalised over all heads where the config says so. */
function projections(
  g: Builder,
  w: Weights,
  [x, text]: readonly [queries: Value, keys: Value],
  out: number,
  bias: boolean,
  { normalises }: SanaConfig,
) {
  const part = (name: string, from: Value) => linear(g, w.at(name), from, out, { bias });
  const normed = (name: string, y: Value) => (normalises ? rmsNorm(g, w.at(name), y, HEAD_EPSILON) : y);
  return { q: normed("norm_q", part("to_q", x)), k: normed("norm_k", part("to_k", text)), v: part("to_v", text) };
}

/** Linear attention among the tokens of x [B, N, D] → same. */
function selfAttention(g: Builder, w: Weights, x: Value, c: SanaConfig): Value {
  const { q, k, v } = projections(g, w, [x, x], c.features, c.bias, c);
  const [batch = 1, length = 1] = x.shape;
  const split = (y: Value) => g.transpose(g.reshape(y, [batch, length, c.heads, c.features / c.heads]), [0, 2, 3, 1]);
  const mixed = g.transpose(linearAttention(g, split(q), split(k), split(v)), [0, 3, 1, 2]);
  return linear(g, w.at("to_out.0"), g.reshape(mixed, [batch, length, c.features]), c.features);
}

/** Attention of x [B, N, D] to the text [B, L, D], but for hidden keys → [B, N, D]. */
function crossAttention(g: Builder, w: Weights, x: Value, text: Value, hidden: Value, c: SanaConfig): Value {
  const { q, k, v } = projections(g, w, [x, text], c.crossFeatures, true, c);
  return linear(g, w.at("to_out.0"), g.attention(q, k, v, { heads: c.crossHeads, bias: hidden }), c.features);
}

/**
 * Sines and cosines [1, H W, D] of the column in the first half of the features, of the row in the second (diffusers' PatchEmbed, which scales
 * positions to those of the size in the config).
 */
function positions(g: Builder, { features, side, positionScale }: SanaConfig, height: number, width: number): Value {
  const quarter = features / 4;
  const coordinate = (i: number, size: number) =>
    Math.fround(Math.fround(i / Math.fround(size / side)) / Math.fround(positionScale ?? 1));
  const waves = (at: number) => {
    const angles = Array.from({ length: quarter }, (_, i) => at * 10000 ** -(i / quarter));
    return [...angles.map(Math.sin), ...angles.map(Math.cos)];
  };
  const columns = Array.from({ length: width }, (_, i) => waves(coordinate(i, width)));
  const rows = Array.from({ length: height }, (_, i) => waves(coordinate(i, height)));
  const values = rows.flatMap((row) => columns.flatMap((column) => [...column, ...row]));
  return g.constant([1, height * width, features], Float32Array.from(values));
}
