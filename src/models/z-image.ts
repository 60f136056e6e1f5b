/**
 * The transformer of Z-Image (Cai et al. 2025), with the names of diffusers' ZImageTransformer2DModel: text and image tokens, each refined
 * alone, then one stream of modulated blocks over both.
 */
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { DenoiserShape } from "./denoiser.js";
import type { DrawingWeights } from "./drawing.js";
import { sinusoid } from "./embedding.js";
import { linear, scope, type Weights } from "./layers.js";
import { PATCH, patches, unfolded } from "./patches.js";
import { type Rotary, rotary } from "./rotary.js";
import { headedAttention, modulations, plainNorm, rmsNorm, scaled, swiGlu } from "./transformer-layers.js";
import type { ZImageConfig } from "./z-image-config.js";

/** Each stream is filled to a multiple of this many tokens. */
export const STREAM_MULTIPLE = 32;
/** Features of the time embedding where D is larger, and of its hidden layer. */
const TIME_FEATURES = 256;
const TIME_HIDDEN = 1024;
const FINAL_EPSILON = 1e-6;
/** Of the norms of queries and keys, whatever norm_eps is. */
const HEAD_EPSILON = 1e-5;
const NAMES = { q: "to_q", k: "to_k", v: "to_v", out: "to_out.0" } as const;

/** n rounded up to whole streams. */
export const filled = (n: number): number => Math.ceil(n / STREAM_MULTIPLE) * STREAM_MULTIPLE;

/**
 * Builds the graph: sample [B, C, H, W], timestep [B] (1000 σ), encoder_hidden_states [B, L, F] with text_mask [B, L, 1], which is 1 for
 * tokens and 0 for padding → prediction [B, C, H, W], the velocity ε − x0. L is a multiple of 32.
 */
export function drawZImage(c: ZImageConfig, index: DrawingWeights, { height, width, tokens }: DenoiserShape): Graph {
  const g = createBuilder();
  const w = scope(g, index);
  const sample = g.input("sample", ["B", c.channels, height, width]);
  const [rows, columns] = [height / PATCH, width / PATCH];
  const time = timeEmbedding(g, w.at("t_embedder.mlp"), g.input("timestep", ["B"]), c);

  const image = padded(g, linear(g, w.at("all_x_embedder.2-1"), patches(g, sample, "channel last"), c.features), w);
  const imagePlaces = rotary(g, c.rotary, imagePositions(rows, columns, tokens));
  const text = textTokens(g, w, c, tokens);
  const textPositions = Array.from({ length: tokens }, (_, i) => [1 + i, 0, 0]);
  const textPlaces = rotary(g, c.rotary, textPositions);

  let x = image;
  for (let i = 0; i < c.refiners; i++) x = block(g, w.at("noise_refiner").at(i), x, imagePlaces, time, c);
  let y = text;
  for (let i = 0; i < c.refiners; i++) y = block(g, w.at("context_refiner").at(i), y, textPlaces, null, c);

  const all = rotary(g, c.rotary, [...imagePositions(rows, columns, tokens), ...textPositions]);
  let joined = g.concat([x, y], 1);
  for (let i = 0; i < c.layers; i++) joined = block(g, w.at("layers").at(i), joined, all, time, c);

  const last = w.at("all_final_layer.2-1");
  const out = g.slice(joined, 1, 0, rows * columns);
  const scale = linear(g, last.at("adaLN_modulation.1"), g.silu(time), c.features);
  const normal = scaled(g, plainNorm(g, out, FINAL_EPSILON), g.reshape(scale, ["B", 1, c.features]));
  const velocity = linear(g, last.at("linear"), normal, PATCH * PATCH * c.channels);
  // The network gives x0 − ε.
  const prediction = g.mul(unfolded(g, velocity, rows, columns, "channel last"), g.constant([], Float32Array.of(-1)));
  return g.finish({ prediction });
}

/** Block: attention and feed-forward between RMS norms, with scales and tanh gates from the time embedding unless it is null. x [B, L, D] → same. */
function block(g: Builder, w: Weights, x: Value, places: Rotary, time: Value | null, c: ZImageConfig): Value {
  const norm = (name: string, v: Value) => rmsNorm(g, w.at(name), v, c.epsilon);
  const [scale1, gate1, scale2, gate2] = time
    ? modulations(g, linear(g, w.at("adaLN_modulation.0"), time, 4 * c.features), 4)
    : [];
  const modulated = (v: Value, scale: Value | undefined) => (scale ? scaled(g, v, scale) : v);
  const gated = (v: Value, gate: Value | undefined) => (gate ? g.mul(v, g.tanh(gate)) : v);
  const attended = headedAttention(g, w.at("attention"), modulated(norm("attention_norm1", x), scale1), {
    names: { ...NAMES, norms: c.normalisesHeads ? ["norm_q", "norm_k"] : null },
    heads: c.heads,
    keyHeads: c.heads,
    width: c.features / c.heads,
    rotary: places,
    interleaved: true,
    causal: false,
    epsilon: HEAD_EPSILON,
  });
  const h = g.add(x, gated(norm("attention_norm2", attended), gate1));
  const hidden = Math.trunc((c.features / 3) * 8);
  const fed = swiGlu(g, w.at("feed_forward"), modulated(norm("ffn_norm1", h), scale2), hidden, {
    gate: "w1",
    up: "w3",
    down: "w2",
  });
  return g.add(h, gated(norm("ffn_norm2", fed), gate2));
}

/** Embedding [B, min(D, 256)] of t_scale · (1 − σ); timestep [B] is 1000 σ. */
function timeEmbedding(g: Builder, w: Weights, timestep: Value, c: ZImageConfig): Value {
  const scalar = (value: number) => g.constant([], Float32Array.of(value));
  const t = g.mul(g.div(g.sub(scalar(1000), timestep), scalar(1000)), scalar(c.timeScale));
  const waves = sinusoid(g, g.reshape(t, ["B", 1]), { features: TIME_FEATURES, cosFirst: true, shift: 0 });
  const hidden = g.silu(linear(g, w.at(0), waves, TIME_HIDDEN));
  return linear(g, w.at(2), hidden, Math.min(c.features, TIME_FEATURES));
}

/** Text tokens [B, L, D]; padding is the learned token. */
function textTokens(g: Builder, w: Weights, c: ZImageConfig, tokens: number): Value {
  const states = g.input("encoder_hidden_states", ["B", tokens, c.textFeatures]);
  const mask = g.input("text_mask", ["B", tokens, 1]);
  const normal = rmsNorm(g, w.at("cap_embedder.0"), states, c.epsilon);
  const embedded = linear(g, w.at("cap_embedder.1"), normal, c.features);
  const padding = g.reshape(w.get("cap_pad_token", [1, c.features]), [1, 1, c.features]);
  const rest = g.sub(g.constant([], Float32Array.of(1)), mask);
  return g.add(g.mul(embedded, mask), g.mul(padding, rest));
}

/** Image tokens filled with the learned token: x [B, n, D] → [B, n rounded up to 32, D]. */
function padded(g: Builder, x: Value, w: Weights): Value {
  const [, n, features] = x.shape.map((d, i) => (i === 0 ? 1 : known(d)));
  const missing = filled(n ?? 0) - (n ?? 0);
  if (missing === 0 || features === undefined) return x;
  const token = g.reshape(w.get("x_pad_token", [1, features]), [1, 1, features]);
  return g.concat([x, g.expandBatch(g.broadcast(token, [1, missing, features]), x)], 1);
}

/** Positions (frame, row, column) of image tokens, after those of the text; padding is at (0, 0, 0). */
function imagePositions(rows: number, columns: number, tokens: number): number[][] {
  const n = rows * columns;
  return Array.from({ length: filled(n) }, (_, i) =>
    i < n ? [tokens + 1, Math.floor(i / columns), i % columns] : [0, 0, 0],
  );
}
