/**
 * LPIPS v0.1 (Zhang et al. 2018): perceptual distance from the activations of five layers of AlexNet or VGG-16, with channel weights
 * fitted to human judgements. The trunk is in torchvision's layout, the channel weights in that of the package `lpips`.
 */

import { FileError } from "../errors.js";
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { DrawingWeights } from "./drawing.js";

import { conv, scope, type Weights } from "./layers.js";

/** Network whose activations are compared. */
export type Trunk = "alex" | "vgg";

interface Layer {
  /** Index in torchvision's `features`. */
  readonly index: number;
  readonly channels: number;
  readonly kernel: number;
  readonly stride: number;
  readonly pad: number;
  /** Window of the max pooling before this layer. */
  readonly pool?: number;
  /** The activations of this layer are part of the distance. */
  readonly compared: boolean;
}

const conv3x3 = (index: number, channels: number, o: { pool?: number; compared?: boolean } = {}): Layer => ({
  index,
  channels,
  kernel: 3,
  stride: 1,
  pad: 1,
  ...(o.pool && { pool: o.pool }),
  compared: o.compared ?? false,
});
const TRUNKS: Readonly<Record<Trunk, readonly Layer[]>> = {
  alex: [
    { index: 0, channels: 64, kernel: 11, stride: 4, pad: 2, compared: true },
    { index: 3, channels: 192, kernel: 5, stride: 1, pad: 2, pool: 3, compared: true },
    conv3x3(6, 384, { pool: 3, compared: true }),
    conv3x3(8, 256, { compared: true }),
    conv3x3(10, 256, { compared: true }),
  ],
  vgg: [
    conv3x3(0, 64),
    conv3x3(2, 64, { compared: true }),
    conv3x3(5, 128, { pool: 2 }),
    conv3x3(7, 128, { compared: true }),
    conv3x3(10, 256, { pool: 2 }),
    conv3x3(12, 256),
    conv3x3(14, 256, { compared: true }),
    conv3x3(17, 512, { pool: 2 }),
    conv3x3(19, 512),
    conv3x3(21, 512, { compared: true }),
    conv3x3(24, 512, { pool: 2 }),
    conv3x3(26, 512),
    conv3x3(28, 512, { compared: true }),
  ],
};

/** Trunk that weights belong to, from the shape of their first layer. @throws FileError when it is neither */
export function trunkOf(index: DrawingWeights): Trunk {
  const first = index.weights.get("features.0.weight")?.shape.join();
  if (first === "64,3,11,11") return "alex";
  if (first === "64,3,3,3") return "vgg";
  const some = [...index.weights.keys()].slice(0, 4).join(", ");
  throw new FileError(
    index.source,
    `is not an AlexNet or VGG-16 in torchvision's layout (features.0.weight); its first tensors are ${some}`,
  );
}

const perChannel = (g: Builder, v: readonly number[]) => g.constant([1, 3, 1, 1], Float32Array.from(v));

/**
 * Builds the graph of an image's features. Input: image [B, 3, height, width] in −1…1. Output: features [B, N]: the activations of the
 * compared layers, normalised over channels at each position, times √(channel weight / number of positions). The squared Euclidean
 * distance of two images' features is their LPIPS (eq. 1).
 * @param heads channel weights
 * @throws WeightMissingError, WeightShapeError; FileError when the trunk is unknown
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

/** Normalised and weighted activations: x [B, C, H, W] → [B, C·H·W]. */
function weighted(g: Builder, lin: Weights, x: Value): Value {
  const [, c, h, w] = x.shape.map((d, i) => (i === 0 ? 1 : known(d)));
  const positions = (h ?? 1) * (w ?? 1);
  const epsilon = g.constant([1], Float32Array.of(1e-10));
  // The sum over channels is their mean times C. The package adds 1e-10 to the norm.
  const channels = g.constant([1], Float32Array.of(c ?? 1));
  const length = g.sqrt(g.mul(g.reshape(g.mean(g.mul(x, x), [1]), ["B", 1, h ?? 1, w ?? 1]), channels));
  const weight = g.sqrt(lin.get("model.1.weight", [1, c ?? 1, 1, 1]));
  const by = g.div(weight, g.constant([1], Float32Array.of(Math.sqrt(positions))));
  return g.reshape(g.mul(g.div(x, g.add(length, epsilon)), by), ["B", (c ?? 1) * positions]);
}
