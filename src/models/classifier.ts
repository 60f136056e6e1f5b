/** Attribute classifier: a small convolutional network that predicts known attributes of an image. Its config lists its layers. */

import { z } from "zod";
import { createBuilder, type Graph, known, type Value } from "../graph/index.js";
import { type ConfigFile, integer, parseConfig } from "./config.js";
import type { DrawingWeights } from "./drawing.js";
import { scope } from "./layers.js";

const activation = z.enum(["relu"]).nullable().default(null);
const layerSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("conv"), weight: z.string(), stride: integer(), padding: integer(0), activation }),
  z.object({ kind: z.literal("pool"), mode: z.literal("mean") }),
  z.object({ kind: z.literal("flatten") }),
  z.object({ kind: z.literal("linear"), weight: z.string(), activation }),
]);
const schema = z.object({
  image_size: integer().default(64),
  layers: z.array(layerSchema).min(1),
  /** Values of each attribute, in the order of the logits. */
  factors: z.record(z.string(), z.array(z.union([z.string(), z.number()]))),
  /** Words in prompts that name a value, by attribute and word, where they differ from the value itself. */
  words: z.record(z.string(), z.record(z.string(), z.string())).default({}),
  /** Names of regressed numbers, which follow the logits. */
  regress: z.array(z.string()).default([]),
});

/** A parsed classifier config. */
export type ClassifierConfig = z.output<typeof schema>;

/** Parses a classifier's config. @throws UnsupportedConfigError naming the key */
export const parseClassifierConfig = (source: ConfigFile): ClassifierConfig => parseConfig(schema, source);

/**
 * Builds the classifier's graph. Input: image [B, 3, S, S] in −1…1. Outputs: logits [B, N], the values of each attribute in order, then
 * the regressed numbers; features [B, D], the input of the last layer.
 * @throws WeightMissingError, WeightShapeError
 */
export function drawClassifier(c: ClassifierConfig, index: DrawingWeights): Graph {
  const g = createBuilder();
  const w = scope(g, index);
  const image = g.input("image", ["B", 3, c.image_size, c.image_size]);
  let [x, features]: [Value, Value] = [image, image];
  for (const layer of c.layers) {
    features = x;
    if (layer.kind === "pool") x = g.mean(x, [2, 3]);
    else if (layer.kind === "flatten")
      x = g.reshape(x, ["B", x.shape.slice(1).reduce<number>((n, d) => n * known(d), 1)]);
    else {
      const names = w.at(layer.weight);
      const shape = index.weights.get(`${layer.weight}.weight`)?.shape ?? [];
      const [weight, bias] = [names.get("weight", shape), names.get("bias", shape.slice(0, 1))];
      const p = layer.kind === "conv" ? layer.padding : 0;
      x =
        layer.kind === "conv"
          ? g.conv(x, weight, bias, { stride: layer.stride, pads: [p, p, p, p] })
          : g.linear(x, weight, bias);
      if (layer.activation) x = g.relu(x);
    }
  }
  return g.finish({ logits: x, features });
}
