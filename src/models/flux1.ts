/**
 * The transformer of FLUX.1 (Black Forest Labs 2024), with the names of diffusers' FluxTransformer2DModel: blocks with one stream for text and
 * one for the image, then blocks with a single stream. Each block computes its modulation from the time, the pooled text and the guidance.
 */
import { type Builder, createBuilder, type Graph, type Value } from "../graph/index.js";
import type { DenoiserShape } from "./denoiser.js";
import type { DrawingWeights } from "./drawing.js";
import type { Flux1Config } from "./flux1-config.js";
import { linear, scope, type Weights } from "./layers.js";
import { PATCH, patches, unfolded } from "./patches.js";
import { type RotaryConfig, rotary } from "./rotary.js";
import {
  doubleBlock,
  gated,
  headNorm,
  modulated,
  type Places,
  placedAttention,
  type StreamsConfig,
} from "./streams.js";
import { embedded, embeddedScalar, modulations } from "./transformer-layers.js";

/** Features of the sinusoidal embeddings of σ and of the guidance scale, and the factor on the latter. */
const TIME_FEATURES = 256;
const GUIDANCE_SCALE = 1000;
/** Features inside the feed-forward layers for each feature of a token. */
const WIDENING = 4;

/**
 * Builds the graph: sample [B, C, H, W], timestep [B] (1000 σ), encoder_hidden_states [B, L, F], pooled_projections [B, P], with
 * `embedsGuidance` guidance [B] → prediction [B, C, H, W], the velocity ε − x0. All L text tokens are attended to.
 */
export function drawFlux1(c: Flux1Config, index: DrawingWeights, { height, width, tokens }: DenoiserShape): Graph {
  const g = createBuilder();
  const w = scope(g, index);
  const [rows, columns] = [height / PATCH, width / PATCH];
  const sample = g.input("sample", ["B", c.channels, height, width]);
  const text = g.input("encoder_hidden_states", ["B", tokens, c.textFeatures]);
  const time = g.silu(timeEmbedding(g, w.at("time_text_embed"), c));
  const modulation = (norm: Weights, n: number) =>
    modulations(g, linear(g, norm.at("linear"), time, n * c.features), n);
  const places = { rotary: flux1Places(g, c.rotary, tokens, rows, columns) };

  let x = linear(g, w.at("x_embedder"), patches(g, sample, "channel first"), c.features);
  let y = linear(g, w.at("context_embedder"), text, c.features);
  for (let i = 0; i < c.doubleLayers; i++) {
    const block = w.at("transformer_blocks").at(i);
    const [ofText, ofImage] = [modulation(block.at("norm1_context"), 6), modulation(block.at("norm1"), 6)];
    [y, x] = flux1DoubleBlock(g, block, { text: y, image: x, ofText, ofImage }, places, c);
  }
  let both = g.concat([y, x], 1);
  for (let i = 0; i < c.singleLayers; i++) {
    const block = w.at("single_transformer_blocks").at(i);
    both = flux1SingleBlock(g, block, both, modulation(block.at("norm"), 3), places, c);
  }
  const [scale, shift] = modulation(w.at("norm_out"), 2);
  const out = modulated(g, g.slice(both, 1, tokens, tokens + rows * columns), shift, scale, c.epsilon);
  const velocity = linear(g, w.at("proj_out"), out, PATCH ** 2 * c.channels);
  return g.finish({ prediction: unfolded(g, velocity, rows, columns, "channel first") });
}

/** Rotations of text tokens, which are all at the origin, and of image tokens, at (0, row, column). */
export const flux1Places = (g: Builder, config: RotaryConfig, tokens: number, rows: number, columns: number) =>
  rotary(g, config, [
    ...Array.from({ length: tokens }, () => [0, 0, 0]),
    ...Array.from({ length: rows * columns }, (_, i) => [0, Math.floor(i / columns), i % columns]),
  ]);

/** Block with two streams; the feed-forward networks have a tanh GELU. */
export const flux1DoubleBlock = (
  g: Builder,
  w: Weights,
  streams: Parameters<typeof doubleBlock>[2],
  places: Places,
  c: StreamsConfig,
) =>
  doubleBlock(g, w, streams, places, c, (ff, x) => {
    const inner = g.geluTanh(linear(g, ff.at("net.0.proj"), x, WIDENING * c.features));
    return linear(g, ff.at("net.2"), inner, c.features);
  });

/** Block with one stream, whose attention and feed-forward run side by side (Dehghani et al. 2023): x [B, L, D] → same. */
export function flux1SingleBlock(
  g: Builder,
  w: Weights,
  x: Value,
  [shift, scale, gate]: readonly Value[],
  places: Places,
  c: StreamsConfig,
): Value {
  const normal = modulated(g, x, shift, scale, c.epsilon);
  const attn = w.at("attn");
  const part = (name: string) => linear(g, attn.at(name), normal, c.features);
  const normed = (name: string, norm: string) => headNorm(g, attn.at(norm), part(name), c);
  const qkv = { q: normed("to_q", "norm_q"), k: normed("to_k", "norm_k"), v: part("to_v") };
  const mixed = placedAttention(g, qkv, places, c);
  const fed = g.geluTanh(linear(g, w.at("proj_mlp"), normal, WIDENING * c.features));
  return gated(g, x, gate, linear(g, w.at("proj_out"), g.concat([mixed, fed], 2), c.features));
}

/** Embedding [B, D] of 1000 σ, of the pooled text, and of the guidance scale where the network takes it. */
function timeEmbedding(g: Builder, w: Weights, c: Flux1Config): Value {
  const o = { features: TIME_FEATURES, out: c.features, bias: true };
  const time = embeddedScalar(g, w.at("timestep_embedder"), g.input("timestep", ["B"]), o);
  const pooled = embedded(g, w.at("text_embedder"), g.input("pooled_projections", ["B", c.pooledFeatures]), o);
  if (!c.embedsGuidance) return g.add(time, pooled);
  const guidance = g.mul(g.input("guidance", ["B"]), g.constant([], Float32Array.of(GUIDANCE_SCALE)));
  return g.add(g.add(time, embeddedScalar(g, w.at("guidance_embedder"), guidance, o)), pooled);
}
