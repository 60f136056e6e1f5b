/**
 * The transformer of Chroma (lodestone-rock 2025), with the names of diffusers' ChromaTransformer2DModel: FLUX.1's blocks, whose modulation
 * one small network computes for all of them from the time. There is no pooled text and no guidance input.
 */
import { type Builder, createBuilder, type Graph, type Value } from "../graph/index.js";
import type { ChromaConfig } from "./chroma-config.js";
import type { DenoiserShape } from "./denoiser.js";
import type { DrawingWeights } from "./drawing.js";
import { frequencies, sinusoid } from "./embedding.js";
import { flux1DoubleBlock, flux1Places, flux1SingleBlock } from "./flux1.js";
import { linear, scope, type Weights } from "./layers.js";
import { PATCH, patches, unfolded } from "./patches.js";
import { keyBias, modulated } from "./streams.js";
import { embedded, rmsNorm } from "./transformer-layers.js";

/** Values of a block's modulation for one stream: shift, scale and gate of each of its parts. */
const DOUBLE = 6;
const SINGLE = 3;
/** Epsilon of the approximator's norms: that of float32, as torch's RMSNorm has it without another. */
const APPROXIMATOR_EPSILON = 2 ** -23;

/**
 * Builds the graph: sample [B, C, H, W], timestep [B] (1000 σ), encoder_hidden_states [B, L, F], attention_mask [B, L + H W / 4] (0 for keys
 * that are hidden) → prediction [B, C, H, W], the velocity ε − x0.
 */
export function drawChroma(c: ChromaConfig, index: DrawingWeights, { height, width, tokens }: DenoiserShape): Graph {
  const g = createBuilder();
  const w = scope(g, index);
  const [rows, columns] = [height / PATCH, width / PATCH];
  const length = tokens + rows * columns;
  const sample = g.input("sample", ["B", c.channels, height, width]);
  const text = g.input("encoder_hidden_states", ["B", tokens, c.textFeatures]);
  const modulation = modulationRows(g, w.at("distilled_guidance_layer"), c);
  const places = {
    rotary: flux1Places(g, c.rotary, tokens, rows, columns),
    bias: keyBias(g, g.input("attention_mask", ["B", length]), length),
  };
  /** First rows of the modulation: blocks with one stream, then the image's and the text's of blocks with two, then the last norm. */
  const ofImage = SINGLE * c.singleLayers;
  const ofText = ofImage + DOUBLE * c.doubleLayers;

  let x = linear(g, w.at("x_embedder"), patches(g, sample, "channel first"), c.features);
  let y = linear(g, w.at("context_embedder"), text, c.features);
  for (let i = 0; i < c.doubleLayers; i++) {
    const block = w.at("transformer_blocks").at(i);
    const streams = {
      text: y,
      image: x,
      ofText: modulation(ofText + DOUBLE * i, DOUBLE),
      ofImage: modulation(ofImage + DOUBLE * i, DOUBLE),
    };
    [y, x] = flux1DoubleBlock(g, block, streams, places, c);
  }
  let both = g.concat([y, x], 1);
  for (let i = 0; i < c.singleLayers; i++) {
    const block = w.at("single_transformer_blocks").at(i);
    both = flux1SingleBlock(g, block, both, modulation(SINGLE * i, SINGLE), places, c);
  }
  const [shift, scale] = modulation(ofText + DOUBLE * c.doubleLayers, 2);
  const out = modulated(g, g.slice(both, 1, tokens, length), shift, scale, c.epsilon);
  const velocity = linear(g, w.at("proj_out"), out, PATCH ** 2 * c.channels);
  return g.finish({ prediction: unfolded(g, velocity, rows, columns, "channel first") });
}

/**
 * The approximator: an embedding of the time, of a guidance of 0 and of a row's number → the modulation values of that row, for all rows.
 * Gives n values [B, 1, D] from a row on.
 */
function modulationRows(g: Builder, w: Weights, c: ChromaConfig): (from: number, n: number) => Value[] {
  const { inputs, hidden, layers } = c.approximator;
  const count = SINGLE * c.singleLayers + 2 * DOUBLE * c.doubleLayers + 2;
  const quarter = inputs / 4;
  const time = sinusoid(g, g.reshape(g.input("timestep", ["B"]), ["B", 1]), {
    features: quarter,
    cosFirst: true,
    shift: 0,
  });
  const rest = g.constant([1, count, inputs], rowEmbeddings(count, inputs));
  const padded = g.pad(g.reshape(time, ["B", 1, quarter]), 2, { before: 0, after: inputs - quarter });
  let x = linear(g, w.at("in_proj"), g.add(padded, rest), hidden);
  for (let i = 0; i < layers; i++) {
    const normal = rmsNorm(g, w.at("norms").at(i), x, APPROXIMATOR_EPSILON);
    x = g.add(x, embedded(g, w.at("layers").at(i), normal, { out: hidden, bias: true }));
  }
  const rows = linear(g, w.at("out_proj"), x, c.features);
  return (from, n) => Array.from({ length: n }, (_, i) => g.slice(rows, 1, from + i, from + i + 1));
}

/** Embeddings [count, inputs] without the time's: cosines and sines of 0, then those of 1000 r for row r. Angles are rounded to float32. */
function rowEmbeddings(count: number, inputs: number): Float32Array {
  const quarter = inputs / 4;
  const waves = frequencies(quarter, quarter);
  const row = (r: number): number[] => {
    const angles = [...waves].map((frequency) => Math.fround(1000 * r * frequency));
    const ofGuidance = Array.from({ length: quarter }, (_, i) => (i < quarter / 2 ? 1 : 0));
    return [...new Array<number>(quarter).fill(0), ...ofGuidance, ...angles.map(Math.cos), ...angles.map(Math.sin)];
  };
  return Float32Array.from(Array.from({ length: count }, (_, r) => row(r)).flat());
}
