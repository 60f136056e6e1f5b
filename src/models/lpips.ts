/**
 * LPIPS v0.1 (Zhang et al. 2018): differences of five layers of AlexNet or VGG-16, weighed by how much people see them. The trunk
 * comes in torchvision's layout, the weights of the layers as the package `lpips` ships them.
 */

import { FileError } from "../errors.js";
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { DrawingWeights } from "./drawing.js";

import { conv, scope, type Weights } from "./layers.js";

export type Trunk = "alex" | "vgg";

interface Layer {
  /** Index in torchvision's `features`. */
  readonly index: number;
  readonly channels: number;
  readonly kernel: number;
  readonly stride: number;
  readonly pad: number;
  /** Side of the pooling before this layer. */
  readonly pool?: number;
  /** Its activations are compared. */
  readonly compared: boolean;
}

const three = (at: number, channels: number, o: { pool?: number; seen?: boolean } = {}): Layer => ({
  index: at,
  channels,
  kernel: 3,
  stride: 1,
  pad: 1,
  ...(o.pool && { pool: o.pool }),
  compared: o.seen ?? false,
});
const TRUNKS: Readonly<Record<Trunk, readonly Layer[]>> = {
  alex: [
    { index: 0, channels: 64, kernel: 11, stride: 4, pad: 2, compared: true },
    { index: 3, channels: 192, kernel: 5, stride: 1, pad: 2, pool: 3, compared: true },
    three(6, 384, { pool: 3, seen: true }),
    three(8, 256, { seen: true }),
    three(10, 256, { seen: true }),
  ],
  vgg: [
    three(0, 64),
    three(2, 64, { seen: true }),
    three(5, 128, { pool: 2 }),
    three(7, 128, { seen: true }),
    three(10, 256, { pool: 2 }),
    three(12, 256),
    three(14, 256, { seen: true }),
    three(17, 512, { pool: 2 }),
    three(19, 512),
    three(21, 512, { seen: true }),
    three(24, 512, { pool: 2 }),
    three(26, 512),
    three(28, 512, { seen: true }),
  ],
};

/** Which trunk weights belong to, by their first layer. @throws FileError */
export function trunkOf(index: DrawingWeights): Trunk {
  const first = index.weights.get("features.0.weight")?.shape.join();
  if (first === "64,3,11,11") return "alex";
  if (first === "64,3,3,3") return "vgg";
  const some = [...index.weights.keys()].slice(0, 4).join(", ");
  throw new FileError(
    index.source,
    `is no AlexNet or VGG-16 in torchvision's layout (features.0.weight); it has: ${some}`,
  );
}

const perChannel = (g: Builder, v: readonly number[]) => g.constant([1, 3, 1, 1], Float32Array.from(v));

/**
 * Draws the features of one picture. Input: image [B, 3, height, width] in −1…1. Output: features [B, N], every seen layer brought
 * to unit length at each place, times the roots of its weights over its number of places: the squared Euclidean distance of two
 * pictures' features is their LPIPS.
 */
export function drawLpips(trunk: DrawingWeights, heads: DrawingWeights, height: number, width: number): Graph {
  const g = createBuilder();
  const image = g.input("image", ["B", 3, height, width]);
  const features = scope(g, trunk).at("features");
  const lins = scope(g, heads);
  let x = g.div(g.sub(image, perChannel(g, [-0.03, -0.088, -0.188])), perChannel(g, [0.458, 0.448, 0.45]));
  const parts: Value[] = [];
  for (const layer of TRUNKS[trunkOf(trunk)]) {
    const { kernel, stride, pad } = layer;
    if (layer.pool) x = g.maxPool(x, { kernel: layer.pool, stride: 2 });
    x = g.relu(conv(g, features.at(layer.index), x, layer.channels, { kernel, stride, pads: [pad, pad, pad, pad] }));
    if (layer.compared) parts.push(weighted(g, lins.at(`lin${parts.length}`), x));
  }
  return g.finish({ features: g.concat(parts, 1) });
}

/** x [B, C, H, W] → [B, C·H·W]. */
function weighted(g: Builder, lin: Weights, x: Value): Value {
  const [, c, h, w] = x.shape.map((d, i) => (i === 0 ? 1 : known(d)));
  const places = (h ?? 1) * (w ?? 1);
  const tiny = g.constant([1], Float32Array.of(1e-10));
  // The mean over channels times their number is their sum; the package adds 1e-10 to the length.
  const channels = g.constant([1], Float32Array.of(c ?? 1));
  const length = g.sqrt(g.mul(g.reshape(g.mean(g.mul(x, x), [1]), ["B", 1, h ?? 1, w ?? 1]), channels));
  const weight = g.sqrt(lin.get("model.1.weight", [1, c ?? 1, 1, 1]));
  const by = g.div(weight, g.constant([1], Float32Array.of(Math.sqrt(places))));
  return g.reshape(g.mul(g.div(x, g.add(length, tiny)), by), ["B", (c ?? 1) * places]);
}
