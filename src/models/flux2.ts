/**
 * The transformer of FLUX.2 (Black Forest Labs 2025), with the names of diffusers' Flux2Transformer2DModel: blocks with one stream for text and
 * one for the image, then blocks with a single stream. Modulation is computed once for all blocks; no layer has a bias.
 */
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { DenoiserShape } from "./denoiser.js";
import type { DrawingWeights } from "./drawing.js";
import type { Flux2Config } from "./flux2-config.js";
import { linear, scope, toImage, toTokens, type Weights } from "./layers.js";
import { rotary } from "./rotary.js";
import { doubleBlock, gated, headNorm, modulated, type Places, placedAttention } from "./streams.js";
import { embeddedScalar, modulations } from "./transformer-layers.js";

/** Factor on the guidance scale before it is embedded, as on σ. */
const TIME_SCALE = 1000;

/** A linear layer without bias. */
const project = (g: Builder, w: Weights, x: Value, out: number): Value => linear(g, w, x, out, { bias: false });

/**
 * Builds the graph: sample [B, C, H, W], timestep [B] (1000 σ), encoder_hidden_states [B, L, F], with `embedsGuidance` guidance [B] →
 * prediction [B, C, H, W], the velocity ε − x0. All L text tokens are attended to.
 */
export function drawFlux2(c: Flux2Config, index: DrawingWeights, { height, width, tokens }: DenoiserShape): Graph {
  const g = createBuilder();
  const w = scope(g, index);
  const sample = g.input("sample", ["B", c.channels, height, width]);
  const text = g.input("encoder_hidden_states", ["B", tokens, c.textFeatures]);
  const time = g.silu(timeEmbedding(g, w.at("time_guidance_embed"), c));
  const modulation = (name: string, n: number) =>
    modulations(g, project(g, w.at(name).at("linear"), time, n * c.features), n);
  const ofText = modulation("double_stream_modulation_txt", 6);
  const ofImage = modulation("double_stream_modulation_img", 6);
  const ofBoth = modulation("single_stream_modulation", 3);
  const places = {
    rotary: rotary(g, c.rotary, [
      ...Array.from({ length: tokens }, (_, i) => [0, 0, 0, i]),
      ...Array.from({ length: height * width }, (_, i) => [0, Math.floor(i / width), i % width, 0]),
    ]),
  };

  let x = project(g, w.at("x_embedder"), toTokens(g, sample), c.features);
  let y = project(g, w.at("context_embedder"), text, c.features);
  for (let i = 0; i < c.doubleLayers; i++) {
    const block = w.at("transformer_blocks").at(i);
    [y, x] = doubleBlock(g, block, { text: y, image: x, ofText, ofImage }, places, c, (ff, h) =>
      feedForward(g, ff, h, c),
    );
  }
  let both = g.concat([y, x], 1);
  for (let i = 0; i < c.singleLayers; i++) {
    both = singleBlock(g, w.at("single_transformer_blocks").at(i), both, ofBoth, places, c);
  }
  const out = g.slice(both, 1, tokens, tokens + height * width);
  const [scale, shift] = modulations(g, project(g, w.at("norm_out.linear"), time, 2 * c.features), 2);
  const velocity = project(g, w.at("proj_out"), modulated(g, out, shift, scale, c.epsilon), c.channels);
  return g.finish({ prediction: toImage(g, velocity, height, width) });
}

/** silu(a) ∘ b of the halves a, b of the features: x [B, L, 2 H] → [B, L, H]. */
function gatedHalves(g: Builder, x: Value): Value {
  const half = known(x.shape[2]) / 2;
  return g.mul(g.silu(g.slice(x, 2, 0, half)), g.slice(x, 2, half, 2 * half));
}

/** Gated feed-forward network: x [B, L, D] → [B, L, D]. */
function feedForward(g: Builder, w: Weights, x: Value, c: Flux2Config): Value {
  const inner = project(g, w.at("linear_in"), x, 2 * c.hidden);
  return project(g, w.at("linear_out"), gatedHalves(g, inner), c.features);
}

/** Block with one stream, whose attention and feed-forward run side by side (Dehghani et al. 2023): x [B, L, D] → same. */
function singleBlock(
  g: Builder,
  w: Weights,
  x: Value,
  [shift, scale, gate]: readonly Value[],
  places: Places,
  c: Flux2Config,
): Value {
  const attn = w.at("attn");
  const d = c.features;
  const all = project(g, attn.at("to_qkv_mlp_proj"), modulated(g, x, shift, scale, c.epsilon), 3 * d + 2 * c.hidden);
  const normed = (from: number, norm: string) => headNorm(g, attn.at(norm), g.slice(all, 2, from, from + d), c);
  const qkv = { q: normed(0, "norm_q"), k: normed(d, "norm_k"), v: g.slice(all, 2, 2 * d, 3 * d) };
  const mixed = placedAttention(g, qkv, places, c);
  const fed = gatedHalves(g, g.slice(all, 2, 3 * d, 3 * d + 2 * c.hidden));
  return gated(g, x, gate, project(g, attn.at("to_out"), g.concat([mixed, fed], 2), d));
}

/** Embedding [B, D] of 1000 σ, and of the guidance scale where the network takes it. */
function timeEmbedding(g: Builder, w: Weights, c: Flux2Config): Value {
  const embedded = (name: string, values: Value) =>
    embeddedScalar(g, w.at(name), values, { features: c.timeFeatures, out: c.features, bias: false });
  const time = embedded("timestep_embedder", g.input("timestep", ["B"]));
  if (!c.embedsGuidance) return time;
  const guidance = g.mul(g.input("guidance", ["B"]), g.constant([], Float32Array.of(TIME_SCALE)));
  return g.add(time, embedded("guidance_embedder", guidance));
}
