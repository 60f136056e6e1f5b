/** The LoRA that a run trains: the layers it changes, its first values, and its forms as inputs of a graph and as an adapter. */
import type { Adapter, LayerShape, Target } from "../adapters/index.js";
import { RequestError } from "../errors.js";
import { uniform } from "../metrics/index.js";
import type { Tensors } from "../optim/index.js";
import { counted, type FloatTensor, float, transposed } from "../tensor/index.js";
import type { LAYER_CHOICES, LORA_TYPES } from "./fields.js";

export type LayerChoice = (typeof LAYER_CHOICES)[number];
export type LoraType = (typeof LORA_TYPES)[number];

export interface LoraOptions {
  /** Default 4; at most the smaller side of a layer. */
  readonly rank?: number;
  /** ΔW is alpha / rank times the product of the matrices. Default 1. */
  readonly alpha?: number;
  /** Default "noxattn": everything but cross-attention. */
  readonly layers?: LayerChoice;
  /** Default "c3lier". */
  readonly type?: LoraType;
}

/** Queries, keys, values and outputs of attention, in the names of all denoisers. */
const ATTENTION = /\.(attn[12]?|attention)\.(to_([qkv]|out(\.0)?|qkv_mlp_proj)|add_[qkv]_proj|to_add_out)$/;
/** What c3lier adds: layers of a UNet's residual blocks, down- and upsamplers, or those of a transformer's feed-forward networks. */
const OTHERS =
  /\.(resnets|downsamplers|upsamplers)\.|^(single_)?transformer_blocks\.\d+\.((ff(_context)?|img_mlp|txt_mlp)\.(net\.(0\.proj|2)|linear_(in|out)|conv_(inverted|point))|proj_(mlp|out))$|^\w+\.\d+\.feed_forward\.w[123]$/;
/** Layers of a stream for text alone, in transformers whose text and image attend to each other. */
const TEXT_STREAM = /\.(add_[qkv]_proj$|to_add_out$|ff_context\.|txt_mlp\.)/;
/** Cross-attention in denoisers without such streams, and the blocks that refine text alone. */
const CROSS_ATTENTION = /\.attn2\.|^context_refiner\./;

const CHOOSES: { readonly [C in LayerChoice]: (layer: string, isCross: boolean) => boolean } = {
  noxattn: (_, isCross) => !isCross,
  xattn: (_, isCross) => isCross,
  "xattn-strict": (layer, isCross) => isCross && !/\.to_(add_)?out/.test(layer),
  selfattn: (layer, isCross) => !isCross && ATTENTION.test(layer),
  full: () => true,
};

/** A layer with a LoRA. */
export interface LoraLayer {
  readonly name: string;
  /** Shape of the layer's weight, [O, I] or [O, I, k, k]. */
  readonly weight: readonly number[];
  readonly rank: number;
}

/** LoRA to be trained. Its matrices are parameters with the names and shapes of the graph's inputs. */
export interface TrainedLora {
  readonly layers: readonly LoraLayer[];
  readonly alpha: number;
}

/** Chooses layers of a denoiser. @throws RequestError when none is chosen */
export function chooseLayers(
  all: ReadonlyMap<string, LayerShape>,
  { rank = 4, alpha = 1, layers = "noxattn", type = "c3lier" }: LoraOptions = {},
): TrainedLora {
  const cross = [...all.keys()].some((name) => TEXT_STREAM.test(name)) ? TEXT_STREAM : CROSS_ATTENTION;
  const chosen = [...all].flatMap(([name, { weight }]): LoraLayer[] => {
    const kind = ATTENTION.test(name) || (type === "c3lier" && OTHERS.test(name));
    if (!kind || weight.length < 2 || !CHOOSES[layers](name, cross.test(name))) return [];
    const [outputs = 1, inputs = 1] = weight;
    return [{ name, weight, rank: Math.min(rank, outputs, inputs) }];
  });
  if (chosen.length === 0)
    throw new RequestError(`none of the model's ${counted(all.size, "layer")} is one of ${layers}, ${type}`);
  return { layers: chosen, alpha };
}

const isLinear = ({ weight }: LoraLayer): boolean => weight.length === 2;

/**
 * First values: the down matrices uniform within ±√(3 / fan-in), as torch's kaiming_uniform_ with a = 1 (He et al. 2015), the up matrices
 * zero, so that the model is unchanged.
 */
export function firstValues({ layers }: TrainedLora, seed: number): Tensors {
  const random = uniform(seed);
  const values: Record<string, FloatTensor> = {};
  for (const layer of layers) {
    const { name, weight, rank } = layer;
    const [outputs = 1, ...fan] = weight;
    const down = float([rank, ...fan]);
    const bound = Math.sqrt(3 / (down.data.length / rank));
    for (let i = 0; i < down.data.length; i++) down.data[i] = (2 * random() - 1) * bound;
    if (isLinear(layer)) {
      values[`${name}.down_t`] = transposed(down);
      values[`${name}.up_t`] = float([rank, outputs]);
    } else {
      values[`${name}.down`] = down;
      values[`${name}.up`] = float([outputs, rank, 1, 1]);
    }
  }
  return values;
}

/** The adapter with these values of the parameters, as it is written to a file. */
export function adapterOf({ layers, alpha }: TrainedLora, values: Tensors): Adapter {
  const value = (name: string): FloatTensor => {
    const found = values[name];
    if (!found) throw new RangeError(`there is no parameter ${name}`);
    return found;
  };
  const targets = layers.map((layer): Target => {
    const { name } = layer;
    const [down, up] = isLinear(layer)
      ? [transposed(value(`${name}.down_t`)), transposed(value(`${name}.up_t`))]
      : [value(`${name}.down`), float([layer.weight[0] ?? 1, layer.rank], value(`${name}.up`).data)];
    return { part: "unet", layer: name, delta: { kind: "low-rank", down, up, mid: null, alpha, magnitude: null } };
  });
  return { file: "the trained LoRA", dialects: [], targets, unmatched: [], untouched: 0 };
}
