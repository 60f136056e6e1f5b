/**
 * DreamSim (Fu et al. 2023): how different two pictures look to people. One ViT tower or three side by side, in the layout of its
 * release (original ViT names, LoRA on qkv beside them) or with the LoRA merged in.
 */

import { FileError } from "../errors.js";
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { DrawingWeights } from "./drawing.js";

import { layerNorm, scope } from "./layers.js";
import { classToken, drawTower, layoutOf, type TowerConfig } from "./vit.js";

/** Which tower: they differ in normalisation, activation, and where the feature is taken. */
export type BranchKind = "dino" | "clip" | "open_clip";

export interface DreamSimBranch {
  readonly kind: BranchKind;
  readonly index: DrawingWeights;
  /** What stands before the tower's names in `index`. */
  readonly prefix: string;
  /** LoRA weights that are not merged, what stands before the tower's names there, and alpha / rank. */
  readonly lora?: { readonly index: DrawingWeights; readonly prefix: string; readonly scale: number };
}

const SIDE = 224;
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const OPENAI = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };

const KINDS: Readonly<Record<BranchKind, Omit<TowerConfig, "heads"> & typeof IMAGENET>> = {
  dino: { ...IMAGENET, activation: "gelu", epsilon: 1e-6 },
  clip: { ...OPENAI, activation: "quickGelu", epsilon: 1e-5, normBefore: "pos_drop" },
  open_clip: { ...OPENAI, activation: "gelu", epsilon: 1e-5, normBefore: "pos_drop" },
};

/** Finds the towers of merged weights, in the order of their names: without a projection it is DINO, then CLIP, then OpenCLIP. */
export function dreamSimBranches(index: DrawingWeights): DreamSimBranch[] {
  const prefixes = [...index.weights.keys()]
    .filter((key) => /(^|\.)cls_token$/.test(key))
    .map((key) => key.slice(0, -"cls_token".length))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  if (prefixes.length === 0) {
    const some = [...index.weights.keys()].slice(0, 4).join(", ");
    throw new FileError(index.source, `holds no DreamSim tower (a tensor cls_token); its tensors begin: ${some}`);
  }
  let clips = 0;
  return prefixes.map((prefix) => {
    if (!index.weights.has(`${prefix}pos_drop.weight`)) return { kind: "dino", index, prefix };
    const named = /open/i.test(`${prefix}${prefixes.length === 1 ? index.source : ""}`);
    return { kind: named || clips++ > 0 ? "open_clip" : "clip", index, prefix };
  });
}

/**
 * Draws the towers. Input: image [B, 3, 224, 224] in 0…1; output: features [B, ΣD], less their own mean: DreamSim's distance
 * is 1 − cosine of these.
 */
export function drawDreamSim(branches: readonly DreamSimBranch[]): Graph {
  const g = createBuilder();
  const image = g.input("image", ["B", 3, SIDE, SIDE]);
  const all = g.concat(
    branches.map((b) => branch(g, b, image)),
    1,
  );
  return g.finish({ features: g.sub(all, g.reshape(g.mean(all, [1]), ["B", 1])) });
}

function branch(g: Builder, { kind, index, prefix, lora }: DreamSimBranch, image: Value): Value {
  const { mean, std, ...tower } = KINDS[kind];
  const { names } = layoutOf(index, prefix);
  const w = scope(g, index, prefix.replace(/\.$/, ""));
  const width = w.shape(names.cls)?.at(-1) ?? 0;
  const c: TowerConfig = {
    ...tower,
    heads: Math.max(1, Math.floor(width / 64)),
    ...(lora && {
      lora: { weights: scope(g, lora.index, lora.prefix.replace(/\.$/, "")), scale: lora.scale },
    }),
  };
  const perChannel = (v: readonly number[]) => g.constant([1, 3, 1, 1], Float32Array.from(v));
  const x = drawTower(g, w, names, c, g.div(g.sub(image, perChannel(mean)), perChannel(std)));
  // DINO's feature is taken before its final norm, CLIP's after it and its projection.
  if (kind === "dino") return classToken(g, x);
  const normed = layerNorm(g, w.at(names.norm), classToken(g, x), c.epsilon);
  // In the module that holds three towers the projection stands beside each, not in it.
  const beside = `${prefix.replace(/model\.$/, "")}proj`;
  const root = scope(g, index);
  const name = w.has("proj") ? `${prefix}proj` : beside;
  const size = root.shape(name)?.[1] ?? 512;
  return g.linear(normed, g.transpose(root.get(name, [known(normed.shape[1]), size]), [1, 0]));
}
