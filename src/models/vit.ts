/**
 * Vision transformers as feature extractors: DINO (Caron et al. 2021) and DINOv2 (Oquab et al. 2023, with and without registers), in all
 * layouts of their checkpoints. DreamSim's branches use the same blocks.
 */

import { z } from "zod";
import { FileError } from "../errors.js";
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import { type ConfigFile, integer, parseConfig } from "./config.js";
import type { DrawingWeights } from "./drawing.js";
import { conv, layerNorm, linear, linearRows, scope, type Weights } from "./layers.js";
import { resampleGrid } from "./positions.js";

/** Tensor names of one checkpoint layout. `qkv` is one fused layer, or three. */
interface Names {
  readonly cls: string;
  readonly positions: string;
  readonly registers: string;
  readonly patches: string;
  readonly blocks: string;
  readonly norm1: string;
  readonly qkv: string | readonly [string, string, string];
  readonly out: string;
  readonly scale1: string;
  readonly norm2: string;
  readonly up: string;
  readonly down: string;
  /** SwiGLU: gate and up in one layer, or two. */
  readonly gated: string | readonly [string, string];
  readonly gatedDown: string;
  readonly scale2: string;
  readonly norm: string;
}

/** Layout of facebookresearch/dino and dinov2, and of DreamSim's release. */
const ORIGINAL: Names = {
  cls: "cls_token",
  positions: "pos_embed",
  registers: "register_tokens",
  patches: "patch_embed.proj",
  blocks: "blocks",
  norm1: "norm1",
  qkv: "attn.qkv",
  out: "attn.proj",
  scale1: "ls1.gamma",
  norm2: "norm2",
  up: "mlp.fc1",
  down: "mlp.fc2",
  gated: "mlp.w12",
  gatedDown: "mlp.w3",
  scale2: "ls2.gamma",
  norm: "norm",
};
const DINOV2: Names = {
  ...ORIGINAL,
  cls: "embeddings.cls_token",
  positions: "embeddings.position_embeddings",
  registers: "embeddings.register_tokens",
  patches: "embeddings.patch_embeddings.projection",
  blocks: "encoder.layer",
  qkv: ["attention.attention.query", "attention.attention.key", "attention.attention.value"],
  out: "attention.output.dense",
  scale1: "layer_scale1.lambda1",
  gated: "mlp.weights_in",
  gatedDown: "mlp.weights_out",
  scale2: "layer_scale2.lambda1",
  norm: "layernorm",
};
const VIT: Names = {
  ...DINOV2,
  norm1: "layernorm_before",
  norm2: "layernorm_after",
  up: "intermediate.dense",
  down: "output.dense",
};
/** Names of attention and SwiGLU layers since transformers 5. */
const RENAMED = {
  qkv: ["attention.q_proj", "attention.k_proj", "attention.v_proj"],
  out: "attention.o_proj",
  gated: ["mlp.gate_proj", "mlp.up_proj"],
  gatedDown: "mlp.down_proj",
} as const;
const LAYOUTS: readonly Names[] = [
  ORIGINAL,
  DINOV2,
  VIT,
  { ...DINOV2, ...RENAMED },
  { ...VIT, ...RENAMED, blocks: "layers", up: "mlp.fc1", down: "mlp.fc2" },
];

/** Hyperparameters that the shapes of the weights do not determine. */
export interface TowerConfig {
  readonly heads: number;
  readonly activation: "gelu" | "quickGelu";
  readonly epsilon: number;
  /** Name of a norm before the first block, as in CLIP. */
  readonly normBefore?: string;
  /** Low-rank update of `qkv`: weights and scale (alpha / rank). */
  readonly lora?: { readonly weights: Weights; readonly scale: number };
}

/** A parsed ViTModel or Dinov2Model config. */
export interface VitConfig extends TowerConfig {
  /** Side of the input image in pixels. */
  readonly imageSize: number;
}

const schema = z.object({
  model_type: z.enum(["vit", "dinov2", "dinov2_with_registers"], { error: "vit, dinov2, dinov2_with_registers" }),
  num_attention_heads: integer(),
  hidden_act: z.enum(["gelu"], { error: "gelu" }).default("gelu"),
  layer_norm_eps: z.number().positive().default(1e-12),
});

/** Side of the images that DINO and DINOv2 are evaluated on. */
const SIDE = 224;

/** Parses a ViTModel or Dinov2Model config. @throws UnsupportedConfigError naming the key */
export function parseVitConfig(source: ConfigFile): VitConfig {
  const c = parseConfig(schema, source);
  const epsilon = "layer_norm_eps" in source.config ? c.layer_norm_eps : c.model_type === "vit" ? 1e-12 : 1e-6;
  return { imageSize: SIDE, heads: c.num_attention_heads, activation: "gelu", epsilon };
}

/** Config for weights without one, from the original releases of DINO and DINOv2, whose heads have 64 features. @throws FileError */
export function vitConfigOf(index: DrawingWeights): VitConfig {
  const { prefix, names } = layoutOf(index);
  const width = index.weights.get(`${prefix}${names.cls}`)?.shape.at(-1) ?? 0;
  return { imageSize: SIDE, heads: Math.max(1, Math.floor(width / 64)), activation: "gelu", epsilon: 1e-6 };
}

/** Prefix and layout of the ViT in a checkpoint; with `only`, of the one with that prefix. @throws FileError when there is none */
export function layoutOf(index: DrawingWeights, only?: string): { prefix: string; names: Names } {
  const keys = [...index.weights.keys()];
  for (const names of LAYOUTS) {
    const parts = [names.cls, `${names.blocks}.0.${names.norm1}.weight`, `${names.blocks}.0.${names.out}.weight`];
    const found = keys
      .filter((k) => k === names.cls || k.endsWith(`.${names.cls}`))
      .map((k) => k.slice(0, -names.cls.length))
      .find((p) => (only === undefined || p === only) && parts.every((part) => index.weights.has(p + part)));
    if (found !== undefined) return { prefix: found, names };
  }
  const some = keys.slice(0, 4).join(", ");
  throw new FileError(
    index.source,
    `contains no DINO, DINOv2 or ViT in a supported layout; its first tensors are ${some}`,
  );
}

/**
 * Builds the graph of DINO or DINOv2. Input: image [B, 3, S, S], normalised by ImageNet's mean and standard deviation. Output: features
 * [B, D], the class token after the final norm. A pooler, mask token or head in the checkpoint is not used.
 * @throws WeightMissingError, WeightShapeError; FileError when the layout is unknown
 */
export function drawVit(c: VitConfig, index: DrawingWeights): Graph {
  const g = createBuilder();
  const { prefix, names } = layoutOf(index);
  const w = scope(g, index, prefix.replace(/\.$/, ""));
  const image = g.input("image", ["B", 3, c.imageSize, c.imageSize]);
  const x = drawTower(g, w, names, c, image);
  return g.finish({ features: classToken(g, layerNorm(g, w.at(names.norm), x, c.epsilon)) });
}

/** Class token: tokens [B, L, D] → the first token of each sample [B, D]. */
export const classToken = (g: Builder, tokens: Value): Value =>
  g.reshape(g.slice(tokens, 1, 0, 1), ["B", known(tokens.shape[2])]);

/** Patch embedding, position embedding and all blocks: image [B, 3, S, S] → tokens [B, L, D] before the final norm. */
export function drawTower(g: Builder, w: Weights, names: Names, c: TowerConfig, image: Value): Value {
  const [width = 0] = w.shape(`${names.patches}.bias`) ?? w.shape(`${names.patches}.weight`) ?? [];
  const patch = w.shape(`${names.patches}.weight`)?.[2] ?? 16;
  const side = Math.floor(known(image.shape[2]) / patch);
  const bias = w.has(`${names.patches}.bias`);
  const patches = conv(g, w.at(names.patches), image, width, {
    kernel: patch,
    stride: patch,
    pads: [0, 0, 0, 0],
    bias,
  });
  const tokens = g.transpose(g.reshape(patches, ["B", width, side * side]), [0, 2, 1]);
  const start = g.expandBatch(w.get(names.cls, [1, 1, width]), image);
  let x = g.add(g.concat([start, tokens], 1), positions(g, w, names, side, width));
  if (w.has(names.registers)) {
    const count = w.shape(names.registers)?.[1] ?? 0;
    const registers = g.expandBatch(w.get(names.registers, [1, count, width]), image);
    x = g.concat([g.slice(x, 1, 0, 1), registers, g.slice(x, 1, 1, side * side + 1)], 1);
  }
  if (c.normBefore) x = layerNorm(g, w.at(c.normBefore), x, c.epsilon);
  for (let i = 0; w.has(`${names.blocks}.${i}.${names.norm1}`); i++) {
    x = block(g, w.at(names.blocks).at(i), names, c, x, c.lora?.weights.at(names.blocks).at(i));
  }
  return x;
}

/** Position embeddings [1, side² + 1, D], resampled if the checkpoint has another grid. */
function positions(g: Builder, w: Weights, names: Names, side: number, width: number): Value {
  const count = w.shape(names.positions)?.[1] ?? side * side + 1;
  const table = w.get(names.positions, [1, count, width]);
  const from = Math.round(Math.sqrt(count - 1));
  if (from === side) return table;
  // The original code adds 0.1 to the target side; later code does not, and models with registers use antialiasing.
  const antialias = w.has(names.registers);
  const offset = names === ORIGINAL && !antialias ? 0.1 : 0;
  const weights = g.constant([side * side, from * from], resampleGrid(from, side, { offset, antialias }));
  const grid = g.transpose(g.slice(table, 1, 1, count), [0, 2, 1]);
  return g.concat([g.slice(table, 1, 0, 1), g.transpose(g.linear(grid, weights), [0, 2, 1])], 1);
}

/** Pre-norm block: attention and feed-forward with residual connections, and LayerScale in DINOv2. x [B, L, D] → same. */
function block(g: Builder, w: Weights, n: Names, c: TowerConfig, input: Value, lora?: Weights): Value {
  const size = known(input.shape[2]);
  const scaled = (name: string, x: Value) => (w.has(name) ? g.mul(x, w.get(name, [size])) : x);
  const normed = layerNorm(g, w.at(n.norm1), input, c.epsilon);
  const [q, k, v] = projections(g, w, n, c, normed, lora);
  const attended = linear(g, w.at(n.out), g.attention(q, k, v, { heads: c.heads }), size);
  const x = g.add(input, scaled(n.scale1, attended));
  return g.add(x, scaled(n.scale2, feedForward(g, w, n, c, layerNorm(g, w.at(n.norm2), x, c.epsilon))));
}

/** Query, key and value of x [B, L, D], each [B, L, D]. */
function projections(
  g: Builder,
  w: Weights,
  n: Names,
  c: TowerConfig,
  x: Value,
  lora?: Weights,
): [Value, Value, Value] {
  const size = known(x.shape[2]);
  if (typeof n.qkv !== "string") {
    const [q, k, v] = n.qkv;
    return [linear(g, w.at(q), x, size), linear(g, w.at(k), x, size), linear(g, w.at(v), x, size)];
  }
  const fused = w.at(n.qkv);
  const low = lora?.has(`${n.qkv}.lora_A`) ? lora.at(n.qkv) : null;
  const rank = low?.shape("lora_A.weight")?.[0] ?? 0;
  const down = low && g.linear(x, low.get("lora_A.weight", [rank, size]));
  const third = (i: number): Value => {
    const y = linearRows(g, fused, x, 3 * size, i * size, (i + 1) * size);
    if (!low || !down) return y;
    const added = g.linear(down, low.rows("lora_B.weight", [3 * size, rank], i * size, (i + 1) * size));
    return g.add(y, g.mul(added, g.constant([1], Float32Array.of(c.lora?.scale ?? 1))));
  };
  return [third(0), third(1), third(2)];
}

function feedForward(g: Builder, w: Weights, n: Names, c: TowerConfig, x: Value): Value {
  const size = known(x.shape[2]);
  if (w.has(n.up)) {
    const hidden = w.shape(`${n.up}.weight`)?.[0] ?? 0;
    return linear(g, w.at(n.down), g[c.activation](linear(g, w.at(n.up), x, hidden)), size);
  }
  const [gate, up] = gated(g, w, n, x);
  return linear(g, w.at(n.gatedDown), g.mul(g.silu(gate), up), size);
}

/** Gate and up projection of SwiGLU (Shazeer 2020). A fused layer has the gate first. */
function gated(g: Builder, w: Weights, n: Names, x: Value): [Value, Value] {
  if (typeof n.gated === "string") {
    const both = w.shape(`${n.gated}.weight`)?.[0] ?? 0;
    const fused = w.at(n.gated);
    const part = (i: number) => linearRows(g, fused, x, both, (i * both) / 2, ((i + 1) * both) / 2);
    return [part(0), part(1)];
  }
  const [gate, up] = n.gated;
  const hidden = w.shape(`${gate}.weight`)?.[0] ?? 0;
  return [linear(g, w.at(gate), x, hidden), linear(g, w.at(up), x, hidden)];
}
