/** Layers that diffusion transformers and language models share: RMS norms, attention with normalised and rotated heads, gated feed-forward, modulation. */
import { type Builder, known, type Value } from "../graph/index.js";
import { sinusoid } from "./embedding.js";
import { linear, type Weights } from "./layers.js";
import type { Rotary } from "./rotary.js";

/** Score of keys that are hidden from attention; finite in float16, and far below any other score. */
export const HIDDEN = -30_000;

/** RMS norm (Zhang & Sennrich 2019). x […, D] → same. */
export const rmsNorm = (g: Builder, w: Weights, x: Value, epsilon: number): Value =>
  g.rmsNorm(x, w.get("weight", [known(x.shape.at(-1))]), epsilon);

/** Layer norm without scale and bias. x […, D] → same. */
export function plainNorm(g: Builder, x: Value, epsilon: number): Value {
  const features = known(x.shape.at(-1));
  const filled = (value: number) => g.constant([features], new Float32Array(features).fill(value));
  return g.layerNorm(x, filled(1), filled(0), epsilon);
}

/** Parts of modulation values: m [B, n D] → n values [B, 1, D], which broadcast over tokens. */
export function modulations(g: Builder, m: Value, n: number): Value[] {
  const [batch = 1, all] = m.shape;
  const features = known(all) / n;
  return Array.from({ length: n }, (_, i) =>
    g.reshape(g.slice(m, 1, i * features, (i + 1) * features), [batch, 1, features]),
  );
}

/** x · (1 + scale): x [B, L, D], scale [B, 1, D] → [B, L, D]. */
export const scaled = (g: Builder, x: Value, scale: Value): Value =>
  g.mul(x, g.add(scale, g.constant([], Float32Array.of(1))));

/** Widths of `embeddedScalar`: of the sinusoid, and of the result. */
export interface ScalarEmbedding {
  readonly features: number;
  readonly out: number;
  readonly bias: boolean;
}

/** linear_2 (silu (linear_1 x)), as diffusers' TimestepEmbedding: x [B, F] → [B, out]. */
export function embedded(g: Builder, w: Weights, x: Value, { out, bias }: Omit<ScalarEmbedding, "features">): Value {
  return linear(g, w.at("linear_2"), g.silu(linear(g, w.at("linear_1"), x, out, { bias })), out, { bias });
}

/** Scalars through a sinusoid and `embedded`: values [B] → [B, out]. */
export function embeddedScalar(g: Builder, w: Weights, values: Value, o: ScalarEmbedding): Value {
  const waves = sinusoid(g, g.reshape(values, ["B", 1]), { features: o.features, cosFirst: true, shift: 0 });
  return embedded(g, w, waves, o);
}

/** Names of the layers of a gated feed-forward network. */
export interface GatedNames {
  readonly gate: string;
  readonly up: string;
  readonly down: string;
}

/** down (silu(gate x) ∘ up x) (SwiGLU: Shazeer 2020). x [B, L, D] → [B, L, D], with `hidden` features inside. */
export function swiGlu(g: Builder, w: Weights, x: Value, hidden: number, { gate, up, down }: GatedNames): Value {
  const part = (name: string) => linear(g, w.at(name), x, hidden, { bias: false });
  const inner = g.mul(g.silu(part(gate)), part(up));
  return linear(g, w.at(down), inner, known(x.shape.at(-1)), { bias: false });
}

/** Layers of an attention, and how its heads are prepared. */
export interface HeadedAttention {
  /** Names of the projections and of the norms of queries and keys; norms are skipped where they are null. */
  readonly names: {
    readonly q: string;
    readonly k: string;
    readonly v: string;
    readonly out: string;
    readonly norms: readonly [string, string] | null;
  };
  readonly heads: number;
  /** Heads of keys and values; each serves heads / keyHeads heads of queries (Ainslie et al. 2023). */
  readonly keyHeads: number;
  /** Features of a head. */
  readonly width: number;
  readonly rotary: Rotary;
  /** Pairs of features that are rotated are neighbours, not half a head apart. */
  readonly interleaved: boolean;
  readonly causal: boolean;
  /** Added to the scores of every head: [1, 1, L, L]. */
  readonly scores?: Value;
  /** Queries, keys and values have biases. Default false. */
  readonly bias?: boolean;
  readonly epsilon: number;
}

/** Self-attention without a bias in its output, with normalised (Henry et al. 2020) and rotated queries and keys. x [B, L, D] → [B, L, D]. */
export function headedAttention(g: Builder, w: Weights, x: Value, o: HeadedAttention): Value {
  const { names, heads, keyHeads, width, rotary, interleaved, causal, scores, bias = false, epsilon } = o;
  const project = (name: string, n: number) => linear(g, w.at(name), x, n * width, { bias });
  const normed = (y: Value, n: number, norm: string | undefined): Value => {
    if (norm === undefined) return y;
    const split = g.reshape(y, [...y.shape.slice(0, 2), n, width]);
    return g.reshape(rmsNorm(g, w.at(norm), split, epsilon), y.shape);
  };
  const turned = (name: string, n: number, norm: string | undefined): Value =>
    g.rope(normed(project(name, n), n, norm), rotary.cos, rotary.sin, { interleaved });
  const q = turned(names.q, heads, names.norms?.[0]);
  const k = turned(names.k, keyHeads, names.norms?.[1]);
  const v = project(names.v, keyHeads);
  const shared = (y: Value) => repeatHeads(g, y, width, heads / keyHeads);
  const mixed = g.attention(q, shared(k), shared(v), { heads, causal, ...(scores && { bias: scores }) });
  return linear(g, w.at(names.out), mixed, known(x.shape.at(-1)), { bias: false });
}

/** Each head repeated `times` times: x [B, L, h · width] → [B, L, h · times · width]. */
function repeatHeads(g: Builder, x: Value, width: number, times: number): Value {
  if (times === 1) return x;
  const heads = known(x.shape[2]) / width;
  const parts = Array.from({ length: heads }, (_, i) => g.slice(x, 2, i * width, (i + 1) * width));
  return g.concat(
    parts.flatMap((part) => new Array<Value>(times).fill(part)),
    2,
  );
}
