/** Layers that all networks share, built from named weights. The shape of a weight is checked against the one that the config requires. */

import { FileError, RequestError, WeightMissingError, WeightShapeError } from "../errors.js";
import { type Builder, known, type LowRankInputs, type Value } from "../graph/index.js";
import { count, valuesFrom, type Weight } from "../tensor/index.js";
import type { DrawingWeights } from "./drawing.js";

/** Weights under a prefix of tensor names, as graph values. Names are relative to the prefix. */
export interface Weights {
  /** Weights under a longer prefix: `at("attn1").at("to_out").at(0)`. */
  at(name: string | number): Weights;
  /** True when a weight has this name, or begins with it and a dot. */
  has(name: string): boolean;
  /** Shape of a stored weight; undefined where there is none. For networks whose config does not state their sizes. */
  shape(name: string): readonly number[] | undefined;
  /** A weight, which must have this shape up to axes of size 1. @throws WeightMissingError, WeightShapeError, FileError for integers */
  get(name: string, shape: readonly number[]): Value;
  /** Rows [from, to) of a weight whose full shape is `shape`. @throws WeightMissingError, WeightShapeError */
  rows(name: string, shape: readonly number[], from: number, to: number): Value;
  /** Name of this layer if it gets a low-rank update; else null. */
  readonly lora: string | null;
}

/** Weights of a component for a graph under construction. */
export function scope(g: Builder, index: DrawingWeights, prefix = ""): Weights {
  const path = (name: string) => (prefix ? `${prefix}.${name}` : name);
  const find = (name: string, shape: readonly number[]): Weight => {
    const weight = index.weights.get(path(name)) ?? index.synthesise?.(path(name), shape);
    if (!weight) throw new WeightMissingError({ tensor: path(name), file: index.source });
    // Axes of size 1 are ignored: a 1×1 convolution is a matrix.
    const squeezed = (s: readonly number[]) => s.filter((d) => d !== 1).join();
    if (squeezed(weight.shape) !== squeezed(shape)) {
      throw new WeightShapeError({
        tensor: path(name),
        file: weight.bytes.source.name,
        expected: shape,
        actual: weight.shape,
      });
    }
    // Integers are codes of a quantisation whose scales are unknown here.
    if (!/float/.test(weight.dtype))
      throw new FileError(weight.bytes.source.name, `${weight.name} is ${weight.dtype}; floating point was expected`);
    return weight.shape.join() === shape.join() ? weight : { ...weight, shape };
  };
  /** A weight as a constant, or as a graph input. */
  const toValue = (name: string, shape: readonly number[]): Value => {
    const weight = find(name, shape);
    return index.inputs?.has(path(name)) ? g.input(path(name), shape) : g.weight(weight);
  };
  return {
    at: (name) => scope(g, index, path(String(name))),
    has: (name) => {
      const start = `${path(name)}.`;
      return index.weights.has(path(name)) || [...index.weights.keys()].some((k) => k.startsWith(start));
    },
    shape: (name) => index.weights.get(path(name))?.shape,
    get: toValue,
    rows: (name, shape, from, to) =>
      index.inputs?.has(path(name))
        ? g.slice(toValue(name, shape), 0, from, to)
        : g.weight(sliceRows(find(name, shape), from, to)),
    lora: index.loraLayers?.has(prefix) ? prefix : null,
  };
}

/** Rows [from, to) of a weight, as a view of the same bytes. */
function sliceRows(weight: Weight, from: number, to: number): Weight {
  const row = count(weight.shape.slice(1));
  return {
    name: `${weight.name}[${from}:${to}]`,
    dtype: weight.dtype,
    shape: [to - from, ...weight.shape.slice(1)],
    bytes: valuesFrom(weight, from * row, (to - from) * row),
  };
}

/** Linear layer with the low-rank update of adapters: x […, I] → […, out]. */
export function linear(g: Builder, w: Weights, x: Value, out: number, { bias = true } = {}): Value {
  const weight = w.get("weight", [out, known(x.shape.at(-1))]);
  const y = g.linear(x, weight, bias ? w.get("bias", [out]) : undefined);
  return w.lora === null ? y : g.add(y, g.lowRank(x, loraOfLinear(g, w.lora, known(x.shape.at(-1)), out)));
}

/** Outputs [from, to) of a linear layer with `out` features: x […, I] → […, to − from]. */
export function linearRows(g: Builder, w: Weights, x: Value, out: number, from: number, to: number): Value {
  const weight = w.rows("weight", [out, known(x.shape.at(-1))], from, to);
  const y = g.linear(x, weight, w.rows("bias", [out], from, to));
  if (w.lora === null) return y;
  const lora = loraOfLinear(g, w.lora, known(x.shape.at(-1)), out);
  return g.add(y, g.lowRank(x, { ...lora, up: g.slice(lora.up, 1, from, to) }));
}

/** Graph inputs of a linear layer's low-rank update. The rank is a named dimension. */
function loraOfLinear(g: Builder, layer: string, inputs: number, out: number): LowRankInputs {
  const rank = `rank of ${layer}`;
  return {
    down: g.input(`${layer}.down_t`, [inputs, rank]),
    up: g.input(`${layer}.up_t`, [rank, out]),
    scaleIndex: g.input(`${layer}.scale_index`, [rank], "int64"),
    scales: g.input("adapter_scales", ["B", "scales"]),
  };
}

/** Options of `conv`. */
export interface ConvOptions {
  /** Default 3. */
  readonly kernel?: number;
  /** Default 1. */
  readonly stride?: number;
  /** Padding: top, left, bottom, right; default ⌊kernel / 2⌋ on every side. */
  readonly pads?: readonly [number, number, number, number];
  /** Default true. */
  readonly bias?: boolean;
  /** Groups of channels that are convolved alone; default 1. Low-rank updates are for one group. */
  readonly groups?: number;
}

/** Convolution with the low-rank update of adapters: x [B, C, H, W] → [B, out, H′, W′]. @throws RequestError for an update of several groups */
export function conv(g: Builder, w: Weights, x: Value, out: number, o: ConvOptions = {}): Value {
  const { kernel = 3, stride = 1, pads, bias = true, groups = 1 } = o;
  const inputs = known(x.shape[1]) / groups;
  const weight = w.get("weight", [out, inputs, kernel, kernel]);
  const half = Math.floor(kernel / 2);
  const place = { stride, pads: pads ?? ([half, half, half, half] as const) };
  const y = g.conv(x, weight, bias ? w.get("bias", [out]) : undefined, { ...place, groups });
  if (w.lora === null) return y;
  if (groups > 1) throw new RequestError(`${w.lora} is a convolution of ${groups} groups, which takes no adapters`);
  const rank = `rank of ${w.lora}`;
  const lora = {
    down: g.input(`${w.lora}.down`, [rank, inputs, kernel, kernel]),
    up: g.input(`${w.lora}.up`, [out, rank, 1, 1]),
    scaleIndex: g.input(`${w.lora}.scale_index`, [rank], "int64"),
    scales: g.input("adapter_scales", ["B", "scales"]),
  };
  return g.add(y, g.lowRankConv(x, lora, place));
}

/** Group norm (Wu & He 2018). x [B, C, …] → same. */
export function groupNorm(g: Builder, w: Weights, x: Value, groups: number, epsilon: number): Value {
  const channels = [known(x.shape[1])];
  return g.groupNorm(x, w.get("weight", channels), w.get("bias", channels), { groups, epsilon });
}

/** Layer norm (Ba et al. 2016). x […, D] → same. */
export function layerNorm(g: Builder, w: Weights, x: Value, epsilon = 1e-5): Value {
  const features = [known(x.shape.at(-1))];
  return g.layerNorm(x, w.get("weight", features), w.get("bias", features), epsilon);
}

/** x [B, C, H, W] → tokens [B, H·W, C]. */
export function toTokens(g: Builder, x: Value): Value {
  const [b = 1, c = 1, h, w] = x.shape;
  return g.transpose(g.reshape(x, [b, c, known(h) * known(w)]), [0, 2, 1]);
}

/** Tokens [B, H·W, C] → [B, C, height, width]. */
export function toImage(g: Builder, x: Value, height: number, width: number): Value {
  const [b = 1, , c = 1] = x.shape;
  return g.reshape(g.transpose(x, [0, 2, 1]), [b, c, height, width]);
}

/** v [B, C] → [B, C, 1, 1], to broadcast over the positions of a map. */
export function perChannel(g: Builder, v: Value): Value {
  return g.reshape(v, [v.shape[0] ?? 1, v.shape[1] ?? 1, 1, 1]);
}
