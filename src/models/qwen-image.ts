/**
 * The transformer of Qwen-Image (Wu et al. 2025), with the names of diffusers' QwenImageTransformer2DModel: blocks with one stream for text and
 * one for the image. Positions of the image are counted from its centre, and those of the text follow them on the diagonal.
 */
import { type Builder, createBuilder, type Graph, type Value } from "../graph/index.js";
import type { DenoiserShape } from "./denoiser.js";
import type { DrawingWeights } from "./drawing.js";
import { linear, scope, type Weights } from "./layers.js";
import { PATCH, patches, unfolded } from "./patches.js";
import type { QwenImageConfig } from "./qwen-image-config.js";
import { rotary } from "./rotary.js";
import { doubleBlock, keyBias, modulated } from "./streams.js";
import { embeddedScalar, modulations, rmsNorm } from "./transformer-layers.js";

/** Features of the sinusoidal embedding of σ. */
const TIME_FEATURES = 256;
/** Features inside the feed-forward layers for each feature of a token. */
const WIDENING = 4;
/** Names of the feed-forward networks. */
const FEED_FORWARD = { image: "img_mlp", text: "txt_mlp" } as const;

/**
 * Builds the graph: sample [B, C, H, W], timestep [B] (1000 σ), encoder_hidden_states [B, L, F], attention_mask [B, L + H W / 4] (0 for keys
 * that are hidden) → prediction [B, C, H, W], the velocity ε − x0.
 */
export function drawQwenImage(
  c: QwenImageConfig,
  index: DrawingWeights,
  { height, width, tokens }: DenoiserShape,
): Graph {
  const g = createBuilder();
  const w = scope(g, index);
  const [rows, columns] = [height / PATCH, width / PATCH];
  const length = tokens + rows * columns;
  const sample = g.input("sample", ["B", c.channels, height, width]);
  const text = g.input("encoder_hidden_states", ["B", tokens, c.textFeatures]);
  const time = g.silu(timeEmbedding(g, w.at("time_text_embed.timestep_embedder"), c));
  const modulation = (layer: Weights, n: number) => modulations(g, linear(g, layer, time, n * c.features), n);
  const places = {
    rotary: rotary(g, c.rotary, positions(rows, columns, tokens)),
    bias: keyBias(g, g.input("attention_mask", ["B", length]), length),
  };

  let x = linear(g, w.at("img_in"), patches(g, sample, "channel first"), c.features);
  let y = linear(g, w.at("txt_in"), rmsNorm(g, w.at("txt_norm"), text, c.epsilon), c.features);
  for (let i = 0; i < c.layers; i++) {
    const block = w.at("transformer_blocks").at(i);
    const [ofText, ofImage] = [modulation(block.at("txt_mod.1"), 6), modulation(block.at("img_mod.1"), 6)];
    const streams = { text: y, image: x, ofText, ofImage };
    [y, x] = doubleBlock(g, block, streams, places, c, (mlp, v) => feedForward(g, mlp, v, c), FEED_FORWARD);
  }
  const [scale, shift] = modulation(w.at("norm_out.linear"), 2);
  const velocity = linear(g, w.at("proj_out"), modulated(g, x, shift, scale, c.epsilon), PATCH ** 2 * c.channels);
  return g.finish({ prediction: unfolded(g, velocity, rows, columns, "channel first") });
}

/** Feed-forward network with a tanh GELU: x [B, L, D] → same. */
const feedForward = (g: Builder, w: Weights, x: Value, c: QwenImageConfig): Value =>
  linear(g, w.at("net.2"), g.geluTanh(linear(g, w.at("net.0.proj"), x, WIDENING * c.features)), c.features);

/** Embedding [B, D] of 1000 σ. */
const timeEmbedding = (g: Builder, w: Weights, c: QwenImageConfig): Value =>
  embeddedScalar(g, w, g.input("timestep", ["B"]), { features: TIME_FEATURES, out: c.features, bias: true });

/** Positions (frame, row, column): text tokens are on the diagonal after the image, whose rows and columns have 0 in the middle. */
function positions(rows: number, columns: number, tokens: number): number[][] {
  const after = Math.max(Math.floor(rows / 2), Math.floor(columns / 2));
  const centred = (i: number, n: number) => i - (n - Math.floor(n / 2));
  return [
    ...Array.from({ length: tokens }, (_, i) => [after + i, after + i, after + i]),
    ...Array.from({ length: rows * columns }, (_, i) => [
      0,
      centred(Math.floor(i / columns), rows),
      centred(i % columns, columns),
    ]),
  ];
}
