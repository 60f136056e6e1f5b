/**
 * DreamSim (Fu et al. 2023): perceptual distance of images from an ensemble of one or three ViTs, in the layout of its release (original
 * ViT names, with a separate LoRA on qkv) or with the LoRA merged.
 */

import { FileError } from "../errors.js";
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { DrawingWeights } from "./drawing.js";

import { layerNorm, scope } from "./layers.js";
import { classToken, drawTower, layoutOf, type TowerConfig } from "./vit.js";

/** Backbone of a branch. Backbones differ in normalisation, activation and the layer that the feature is taken from. */
export type BranchKind = "dino" | "clip" | "open_clip";

/** One ViT of the ensemble. */
export interface DreamSimBranch {
  readonly kind: BranchKind;
  readonly index: DrawingWeights;
  /** Prefix of the ViT's tensor names in `index`. */
  readonly prefix: string;
  /** Unmerged LoRA weights, their prefix, and their scale (alpha / rank). */
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

/**
 * Branches in a file of merged weights, ordered by name. A ViT without a projection is DINO; of the others the first is CLIP and later
 * ones, or one with "open" in its name, OpenCLIP.
 * @throws FileError when there is none
 */
export function dreamSimBranches(index: DrawingWeights): DreamSimBranch[] {
  const prefixes = [...index.weights.keys()]
    .filter((key) => /(^|\.)cls_token$/.test(key))
    .map((key) => key.slice(0, -"cls_token".length))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  if (prefixes.length === 0) {
    const some = [...index.weights.keys()].slice(0, 4).join(", ");
    throw new FileError(
      index.source,
      `contains no DreamSim weights (no tensor cls_token); its first tensors are ${some}`,
    );
  }
  let clips = 0;
  return prefixes.map((prefix) => {
    if (!index.weights.has(`${prefix}pos_drop.weight`)) return { kind: "dino", index, prefix };
    const named = /open/i.test(`${prefix}${prefixes.length === 1 ? index.source : ""}`);
    return { kind: named || clips++ > 0 ? "open_clip" : "clip", index, prefix };
  });
}

/**
 * Builds the graph of all branches. Input: image [B, 3, 224, 224] in 0…1. Output: features [B, ΣD], centred per image; DreamSim's
 * distance is 1 − the cosine of two images' features.
 * @throws WeightMissingError, WeightShapeError
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
  // DINO's feature is taken before the final norm, CLIP's after the final norm and the projection.
  if (kind === "dino") return classToken(g, x);
  const normed = layerNorm(g, w.at(names.norm), classToken(g, x), c.epsilon);
  // With three branches the projection is a sibling of the ViT, not a part of it.
  const beside = `${prefix.replace(/model\.$/, "")}proj`;
  const root = scope(g, index);
  const name = w.has("proj") ? `${prefix}proj` : beside;
  const size = root.shape(name)?.[1] ?? 512;
  return g.linear(normed, g.transpose(root.get(name, [known(normed.shape[1]), size]), [1, 0]));
}
