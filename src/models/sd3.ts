/**
 * The transformer of Stable Diffusion 3 and 3.5 (MMDiT: Esser et al. 2024, figure 2), with the names of diffusers' SD3Transformer2DModel: blocks
 * with one stream for text and one for the image. Positions are a table that is added to the image tokens; text has none.
 */
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { DenoiserShape } from "./denoiser.js";
import type { DrawingWeights } from "./drawing.js";
import { conv, linear, scope, toTokens, type Weights } from "./layers.js";
import { PATCH, unfolded } from "./patches.js";
import type { Sd3Config } from "./sd3-config.js";
import { gated, headNorm, modulated } from "./streams.js";
import { embedded, embeddedScalar, modulations } from "./transformer-layers.js";

/** Features of the sinusoidal embedding of σ. */
const TIME_FEATURES = 256;
/** Features inside the feed-forward layers for each feature of a token. */
const WIDENING = 4;

/**
 * Builds the graph: sample [B, C, H, W], timestep [B] (1000 σ), encoder_hidden_states [B, L, F], pooled_projections [B, P] → prediction
 * [B, C, H, W], the velocity ε − x0. All L text tokens are attended to.
 */
export function drawSd3(c: Sd3Config, index: DrawingWeights, { height, width, tokens }: DenoiserShape): Graph {
  const g = createBuilder();
  const w = scope(g, index);
  const [rows, columns] = [height / PATCH, width / PATCH];
  const sample = g.input("sample", ["B", c.channels, height, width]);
  const text = g.input("encoder_hidden_states", ["B", tokens, c.textFeatures]);
  const time = g.silu(timeEmbedding(g, w.at("time_text_embed"), c));
  const modulation = (norm: Weights, n: number) =>
    modulations(g, linear(g, norm.at("linear"), time, n * c.features), n);

  const embed = w.at("pos_embed");
  const folded = conv(g, embed.at("proj"), sample, c.features, { kernel: PATCH, stride: PATCH, pads: [0, 0, 0, 0] });
  let x = g.add(toTokens(g, folded), positionEmbedding(g, embed, c, rows, columns));
  let y = linear(g, w.at("context_embedder"), text, c.features);
  for (let i = 0; i < c.layers; i++) {
    const block = w.at("transformer_blocks").at(i);
    const dual = c.dualLayers.includes(i);
    const last = i === c.layers - 1;
    const ofImage = modulation(block.at("norm1"), dual ? 9 : 6);
    const ofText = modulation(block.at("norm1_context"), last ? 2 : 6);
    [x, y] = jointBlock(g, block, { image: x, text: y, ofImage, ofText, dual, last }, c);
  }
  const [scale, shift] = modulation(w.at("norm_out"), 2);
  const out = modulated(g, x, shift, scale, c.epsilon);
  const velocity = linear(g, w.at("proj_out"), out, PATCH ** 2 * c.predicted);
  return g.finish({ prediction: unfolded(g, velocity, rows, columns, "channel last") });
}

/** Embedding [B, D] of 1000 σ and of the pooled text. */
function timeEmbedding(g: Builder, w: Weights, c: Sd3Config): Value {
  const o = { features: TIME_FEATURES, out: c.features, bias: true };
  const time = embeddedScalar(g, w.at("timestep_embedder"), g.input("timestep", ["B"]), o);
  return g.add(time, embedded(g, w.at("text_embedder"), g.input("pooled_projections", ["B", c.pooledFeatures]), o));
}

/** The middle of the table of positions, [1, rows columns, D]. */
function positionEmbedding(g: Builder, w: Weights, c: Sd3Config, rows: number, columns: number): Value {
  const side = c.positions;
  const [top, left] = [Math.floor((side - rows) / 2), Math.floor((side - columns) / 2)];
  // A view of whole rows: the table of Stable Diffusion 3.5 medium has 226 million values.
  const band = w.rows("pos_embed", [side * side, c.features], top * side, (top + rows) * side);
  const crop = g.slice(g.reshape(band, [rows, side, c.features]), 1, left, left + columns);
  return g.reshape(crop, [1, rows * columns, c.features]);
}

/** Streams of a block [B, N, D] and [B, L, D], and their modulation, [B, 1, D] each. */
interface Joint {
  readonly image: Value;
  readonly text: Value;
  /** Shift, scale and gate of the attention, of the feed-forward, and with `dual` of the attention of the image alone. */
  readonly ofImage: readonly Value[];
  /** The same for text; in the last block scale and shift of the attention. */
  readonly ofText: readonly Value[];
  /** The image also attends to itself alone. */
  readonly dual: boolean;
  /** The text that comes out is not read. */
  readonly last: boolean;
}

/** Block in which image and text attend to each other: both streams → both, changed. The last block leaves the text as it is. */
function jointBlock(g: Builder, w: Weights, s: Joint, c: Sd3Config): [image: Value, text: Value] {
  const [shift, scale, gate, , , , shift2, scale2, gate2] = s.ofImage;
  const image = projected(g, w.at("attn"), modulated(g, s.image, shift, scale, c.epsilon), OF_IMAGE, c);
  const [first, second] = s.ofText;
  const normal = s.last
    ? modulated(g, s.text, second, first, c.epsilon)
    : modulated(g, s.text, first, second, c.epsilon);
  const text = projected(g, w.at("attn"), normal, OF_TEXT, c);
  const both = (a: Value, b: Value) => g.concat([a, b], 1);
  const mixed = g.attention(both(image.q, text.q), both(image.k, text.k), both(image.v, text.v), { heads: c.heads });
  const places = known(s.image.shape[1]);
  const out = (name: string, from: number, to: number) =>
    linear(g, w.at("attn").at(name), g.slice(mixed, 1, from, to), c.features);

  let x = gated(g, s.image, gate, out("to_out.0", 0, places));
  if (s.dual) {
    const own = w.at("attn2");
    const { q, k, v } = projected(g, own, modulated(g, s.image, shift2, scale2, c.epsilon), OF_IMAGE, c);
    const alone = g.attention(q, k, v, { heads: c.heads });
    x = gated(g, x, gate2, linear(g, own.at("to_out.0"), alone, c.features));
  }
  x = fed(g, w.at("ff"), x, s.ofImage, c);
  if (s.last) return [x, s.text];
  const y = gated(g, s.text, s.ofText[2], out("to_add_out", places, places + known(s.text.shape[1])));
  return [x, fed(g, w.at("ff_context"), y, s.ofText, c)];
}

/** Names of the projections of a stream, and of the norms of its queries and keys. */
interface StreamNames {
  readonly q: string;
  readonly k: string;
  readonly v: string;
  readonly normQ: string;
  readonly normK: string;
}

const OF_IMAGE: StreamNames = { q: "to_q", k: "to_k", v: "to_v", normQ: "norm_q", normK: "norm_k" };
const OF_TEXT: StreamNames = {
  q: "add_q_proj",
  k: "add_k_proj",
  v: "add_v_proj",
  normQ: "norm_added_q",
  normK: "norm_added_k",
};

/** Queries, keys and values of a stream, [B, L, D] each. */
function projected(g: Builder, w: Weights, x: Value, names: StreamNames, c: Sd3Config) {
  const part = (name: string) => linear(g, w.at(name), x, c.features);
  const normed = (name: string, norm: string) => (c.normsHeads ? headNorm(g, w.at(norm), part(name), c) : part(name));
  return { q: normed(names.q, names.normQ), k: normed(names.k, names.normK), v: part(names.v) };
}

/** Feed-forward network with a tanh GELU, in its modulation: x [B, L, D] → same. */
function fed(g: Builder, w: Weights, x: Value, m: readonly Value[], c: Sd3Config): Value {
  const inner = linear(g, w.at("net.0.proj"), modulated(g, x, m[3], m[4], c.epsilon), WIDENING * c.features);
  return gated(g, x, m[5], linear(g, w.at("net.2"), g.geluTanh(inner), c.features));
}
