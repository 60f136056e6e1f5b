/**
 * The transformer of FLUX.2 (Black Forest Labs 2025), with the names of diffusers' Flux2Transformer2DModel: blocks with one stream for text and
 * one for the image, then blocks with a single stream. Modulation is computed once for all blocks; no layer has a bias.
 */
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { DenoiserShape } from "./denoiser.js";
import type { DrawingWeights } from "./drawing.js";
import { sinusoid } from "./embedding.js";
import type { Flux2Config } from "./flux2-config.js";
import { linear, scope, toImage, toTokens, type Weights } from "./layers.js";
import { type Rotary, rotary } from "./rotary.js";
import { modulations, plainNorm, rmsNorm, scaled } from "./transformer-layers.js";

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
  const places = rotary(g, c.rotary, [
    ...Array.from({ length: tokens }, (_, i) => [0, 0, 0, i]),
    ...Array.from({ length: height * width }, (_, i) => [0, Math.floor(i / width), i % width, 0]),
  ]);

  let x = project(g, w.at("x_embedder"), toTokens(g, sample), c.features);
  let y = project(g, w.at("context_embedder"), text, c.features);
  for (let i = 0; i < c.doubleLayers; i++) {
    [y, x] = doubleBlock(g, w.at("transformer_blocks").at(i), { text: y, image: x, ofText, ofImage, places }, c);
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

/** Layer norm, scaled and shifted: x [B, L, D], shift and scale [B, 1, D] → [B, L, D]. */
function modulated(g: Builder, x: Value, shift: Value | undefined, scale: Value | undefined, epsilon: number): Value {
  const normal = plainNorm(g, x, epsilon);
  return shift && scale ? g.add(scaled(g, normal, scale), shift) : normal;
}

const gated = (g: Builder, x: Value, gate: Value | undefined, change: Value): Value =>
  g.add(x, gate ? g.mul(change, gate) : change);

/** silu(a) ∘ b of the halves a, b of the features: x [B, L, 2 H] → [B, L, H]. */
function gatedHalves(g: Builder, x: Value): Value {
  const half = known(x.shape[2]) / 2;
  return g.mul(g.silu(g.slice(x, 2, 0, half)), g.slice(x, 2, half, 2 * half));
}

/** Each head of x [B, L, D] normalised by the weights of `w`. */
function headNorm(g: Builder, w: Weights, x: Value, c: Flux2Config): Value {
  const [batch = 1, length = 1] = x.shape;
  const heads = g.reshape(x, [batch, length, c.heads, c.features / c.heads]);
  return g.reshape(rmsNorm(g, w, heads, c.epsilon), x.shape);
}

interface Streams {
  readonly text: Value;
  readonly image: Value;
  readonly ofText: readonly Value[];
  readonly ofImage: readonly Value[];
  readonly places: Rotary;
}

/** Block with two streams that attend to each other: text [B, L, D] and image [B, N, D] → both, changed. */
function doubleBlock(
  g: Builder,
  w: Weights,
  { text, image, ofText, ofImage, places }: Streams,
  c: Flux2Config,
): [text: Value, image: Value] {
  const attn = w.at("attn");
  const normal = [
    modulated(g, text, ofText[0], ofText[1], c.epsilon),
    modulated(g, image, ofImage[0], ofImage[1], c.epsilon),
  ];
  const joined = (names: readonly [string, string], norms?: readonly [string, string]): Value =>
    g.concat(
      normal.map((x, i) => {
        const y = project(g, attn.at(names[i] ?? ""), x, c.features);
        return norms ? headNorm(g, attn.at(norms[i] ?? ""), y, c) : y;
      }),
      1,
    );
  const turned = (x: Value) => g.rope(x, places.cos, places.sin, { interleaved: true });
  const q = turned(joined(["add_q_proj", "to_q"], ["norm_added_q", "norm_q"]));
  const k = turned(joined(["add_k_proj", "to_k"], ["norm_added_k", "norm_k"]));
  const mixed = g.attention(q, k, joined(["add_v_proj", "to_v"]), { heads: c.heads });
  const length = known(text.shape[1]);
  const stream = (x: Value, from: number, to: number, out: string, ff: string, m: readonly Value[]): Value => {
    const h = gated(g, x, m[2], project(g, attn.at(out), g.slice(mixed, 1, from, to), c.features));
    const inner = project(g, w.at(ff).at("linear_in"), modulated(g, h, m[3], m[4], c.epsilon), 2 * c.hidden);
    return gated(g, h, m[5], project(g, w.at(ff).at("linear_out"), gatedHalves(g, inner), c.features));
  };
  return [
    stream(text, 0, length, "to_add_out", "ff_context", ofText),
    stream(image, length, length + known(image.shape[1]), "to_out.0", "ff", ofImage),
  ];
}

/** Block with one stream, whose attention and feed-forward run side by side (Dehghani et al. 2023): x [B, L, D] → same. */
function singleBlock(
  g: Builder,
  w: Weights,
  x: Value,
  [shift, scale, gate]: readonly Value[],
  places: Rotary,
  c: Flux2Config,
): Value {
  const attn = w.at("attn");
  const d = c.features;
  const all = project(g, attn.at("to_qkv_mlp_proj"), modulated(g, x, shift, scale, c.epsilon), 3 * d + 2 * c.hidden);
  const turned = (from: number, norm: string) =>
    g.rope(headNorm(g, attn.at(norm), g.slice(all, 2, from, from + d), c), places.cos, places.sin, {
      interleaved: true,
    });
  const mixed = g.attention(turned(0, "norm_q"), turned(d, "norm_k"), g.slice(all, 2, 2 * d, 3 * d), {
    heads: c.heads,
  });
  const fed = gatedHalves(g, g.slice(all, 2, 3 * d, 3 * d + 2 * c.hidden));
  return gated(g, x, gate, project(g, attn.at("to_out"), g.concat([mixed, fed], 2), d));
}

/** Embedding [B, D] of 1000 σ, and of the guidance scale where the network takes it. */
function timeEmbedding(g: Builder, w: Weights, c: Flux2Config): Value {
  const embedded = (name: string, values: Value): Value => {
    const waves = sinusoid(g, g.reshape(values, ["B", 1]), { features: c.timeFeatures, cosFirst: true, shift: 0 });
    const hidden = g.silu(project(g, w.at(name).at("linear_1"), waves, c.features));
    return project(g, w.at(name).at("linear_2"), hidden, c.features);
  };
  const time = embedded("timestep_embedder", g.input("timestep", ["B"]));
  if (!c.embedsGuidance) return time;
  const guidance = g.mul(g.input("guidance", ["B"]), g.constant([], Float32Array.of(TIME_SCALE)));
  return g.add(time, embedded("guidance_embedder", guidance));
}
