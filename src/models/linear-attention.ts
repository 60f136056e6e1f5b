/** Linear attention with ReLU as its kernel (Katharopoulos et al. 2020; Cai et al. 2023), and the gated convolutions that follow it in SANA. */
import { type Builder, known, type Value } from "../graph/index.js";
import { conv, type Weights } from "./layers.js";

/** Added to the sum of the weights of a query. */
const EPSILON = 1e-15;

/**
 * Attention whose weights are relu(q) · relu(k), normalised by their sum: q, k, v [B, h, d, N] → same. Its cost is linear in N, since sums over
 * keys come before queries. Those are means here, which float16 holds.
 */
export function linearAttention(g: Builder, q: Value, k: Value, v: Value): Value {
  const [batch = 1, heads = 1, width = 1, length] = q.shape;
  const n = known(length);
  const scalar = (value: number) => g.constant([], Float32Array.of(value));
  const [queries, keys] = [g.relu(q), g.relu(k)];
  const states = g.matmul(g.mul(v, scalar(1 / n)), g.transpose(keys, [0, 1, 3, 2]));
  const meanKey = g.reshape(g.mean(keys, [3]), [batch, heads, width, 1]);
  const weight = g.reshape(g.sum(g.mul(queries, meanKey), [2]), [batch, heads, 1, n]);
  return g.div(g.matmul(states, queries), g.add(weight, scalar(EPSILON / n)));
}

/**
 * A 1×1 convolution, a 3×3 one of each channel alone, and one back, with half of the channels as gates (Mix-FFN with a gated linear unit: Xie et
 * al. 2024, §2.2). x [B, C, H, W] → same; `hidden` channels inside.
 */
export function gatedConvolutions(g: Builder, w: Weights, x: Value, hidden: number): Value {
  const wide = g.silu(conv(g, w.at("conv_inverted"), x, hidden, { kernel: 1 }));
  const mixed = conv(g, w.at("conv_depth"), wide, hidden, { groups: hidden });
  const gated = g.mul(g.slice(mixed, 1, 0, hidden / 2), g.silu(g.slice(mixed, 1, hidden / 2, hidden)));
  return conv(g, w.at("conv_point"), gated, known(x.shape[1]), { kernel: 1, bias: false });
}
