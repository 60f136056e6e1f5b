/** Blocks with one stream for text and one for the image, and their modulation, as in the transformers of FLUX.1, FLUX.2, Chroma and Qwen-Image. */
import { type Builder, known, type Value } from "../graph/index.js";
import { linear, type Weights } from "./layers.js";
import type { Rotary } from "./rotary.js";
import { HIDDEN, plainNorm, rmsNorm, scaled } from "./transformer-layers.js";

/** Facts of a transformer that its blocks share. */
export interface StreamsConfig {
  /** Width of the tokens, D. */
  readonly features: number;
  readonly heads: number;
  /** Epsilon of all norms. */
  readonly epsilon: number;
  /** Linear layers have a bias. */
  readonly bias: boolean;
}

/** Rotation of queries and keys by their positions, text first, and a bias [1 or B, 1, L, L] of the attention scores. */
export interface Places {
  readonly rotary: Rotary;
  readonly bias?: Value | undefined;
}

/** Scores [B, 1, N, S] that hide keys from all N queries (default S): mask [B, S], 1 for keys that are attended to. */
export function keyBias(g: Builder, mask: Value, length: number, queries: number = length): Value {
  const one = g.constant([], Float32Array.of(1));
  const hidden = g.mul(g.sub(one, mask), g.constant([], Float32Array.of(HIDDEN)));
  return g.add(g.reshape(hidden, ["B", 1, 1, length]), g.constant([1, 1, queries, 1], new Float32Array(queries)));
}

/** Layer norm, scaled and shifted: x [B, L, D], shift and scale [B, 1, D] → [B, L, D]. */
export function modulated(
  g: Builder,
  x: Value,
  shift: Value | undefined,
  scale: Value | undefined,
  epsilon: number,
): Value {
  const normal = plainNorm(g, x, epsilon);
  return shift && scale ? g.add(scaled(g, normal, scale), shift) : normal;
}

/** x + gate ∘ change: x and change [B, L, D], gate [B, 1, D]. */
export const gated = (g: Builder, x: Value, gate: Value | undefined, change: Value): Value =>
  g.add(x, gate ? g.mul(change, gate) : change);

/** Each head of x [B, L, D] normalised by the weights of `w` (Henry et al. 2020). */
export function headNorm(g: Builder, w: Weights, x: Value, c: StreamsConfig): Value {
  const [batch = 1, length = 1] = x.shape;
  const heads = g.reshape(x, [batch, length, c.heads, c.features / c.heads]);
  return g.reshape(rmsNorm(g, w, heads, c.epsilon), x.shape);
}

/** Attention among the tokens of x [B, L, D], from their queries, keys and values; heads are normalised and rotated. No output projection. */
export function placedAttention(
  g: Builder,
  { q, k, v }: { readonly q: Value; readonly k: Value; readonly v: Value },
  { rotary, bias }: Places,
  c: StreamsConfig,
): Value {
  const turned = (x: Value) => g.rope(x, rotary.cos, rotary.sin, { interleaved: true });
  return g.attention(turned(q), turned(k), v, { heads: c.heads, ...(bias && { bias }) });
}

/** Both streams, and the modulation of each: shift, scale and gate of the attention, then those of the feed-forward, [B, 1, D]. */
export interface Streams {
  readonly text: Value;
  readonly image: Value;
  readonly ofText: readonly Value[];
  readonly ofImage: readonly Value[];
}

/** Names of the feed-forward networks of a block's streams. */
export interface FeedForwardNames {
  readonly image: string;
  readonly text: string;
}

/**
 * Block with two streams that attend to each other (Esser et al. 2024, figure 2b): text [B, L, D] and image [B, N, D] → both, changed.
 * `feedForward` is the network inside, with the weights of `names`: by default "ff" and "ff_context".
 */
export function doubleBlock(
  g: Builder,
  w: Weights,
  { text, image, ofText, ofImage }: Streams,
  places: Places,
  c: StreamsConfig,
  feedForward: (w: Weights, x: Value) => Value,
  names: FeedForwardNames = { image: "ff", text: "ff_context" },
): [text: Value, image: Value] {
  const attn = w.at("attn");
  const project = (name: string, x: Value) => linear(g, attn.at(name), x, c.features, { bias: c.bias });
  const normal = [
    modulated(g, text, ofText[0], ofText[1], c.epsilon),
    modulated(g, image, ofImage[0], ofImage[1], c.epsilon),
  ];
  const joined = (layers: readonly [string, string], norms?: readonly [string, string]): Value =>
    g.concat(
      normal.map((x, i) => {
        const y = project(layers[i] ?? "", x);
        return norms ? headNorm(g, attn.at(norms[i] ?? ""), y, c) : y;
      }),
      1,
    );
  const q = joined(["add_q_proj", "to_q"], ["norm_added_q", "norm_q"]);
  const k = joined(["add_k_proj", "to_k"], ["norm_added_k", "norm_k"]);
  const mixed = placedAttention(g, { q, k, v: joined(["add_v_proj", "to_v"]) }, places, c);
  const length = known(text.shape[1]);
  const stream = (x: Value, from: number, to: number, out: string, ff: string, m: readonly Value[]): Value => {
    const h = gated(g, x, m[2], project(out, g.slice(mixed, 1, from, to)));
    return gated(g, h, m[5], feedForward(w.at(ff), modulated(g, h, m[3], m[4], c.epsilon)));
  };
  return [
    stream(text, 0, length, "to_add_out", names.text, ofText),
    stream(image, length, length + known(image.shape[1]), "to_out.0", names.image, ofImage),
  ];
}
