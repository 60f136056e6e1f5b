/**
 * Several adapters on one network. LoRA matrices of a layer are concatenated along the rank and become inputs of the graph, each
 * column with the index of its scale, so that scales change per sample and per row without a reload. All other kinds are merged into
 * copies of the weights they change, which become inputs too.
 */
import { RequestError } from "../errors.js";
import { count, type FloatTensor, float, int, type Tensor, transposed } from "../tensor/index.js";
import {
  applyBias,
  applyDelta,
  changesBias,
  changesWeight,
  type Delta,
  type LowRank,
  lowRank,
  strengthOf,
} from "./delta.js";
import type { Part } from "./names.js";
import type { Adapter } from "./read.js";
import { BLOCKS, blockOf, type Scale, type ScaleSample, scaleAt } from "./scale.js";

/** An adapter in a stack. */
export interface Attached {
  readonly adapter: Adapter;
  readonly scale: Scale;
}

/** The combined effect of several adapters on one network. */
export interface Stack {
  /** Layers with LoRA matrices, which are inputs of the graph. */
  readonly loraLayers: ReadonlySet<string>;
  /** Names of weights and biases that adapters are merged into, which are inputs of the graph. */
  readonly mergedWeights: ReadonlySet<string>;
  /** Constant inputs of the graph by name: LoRA matrices and their scale indices. Merged weights are not included. */
  loraInputs(names: Iterable<string>): Record<string, Tensor>;
  /** A weight or bias with the adapters merged into it. */
  merge(name: string, weight: FloatTensor): FloatTensor;
  /** Scales of a sample in a row of the plan, [S]: one for each adapter and block. */
  scales(row: number, sample: ScaleSample): number[];
  /** Equal for stacks with the same graph. */
  readonly graphKey: string;
  /** Equal for stacks with the same constant inputs and merged weights. */
  readonly inputKey: string;
}

const serials = new WeakMap<Adapter, number>();
let serial = 0;
function serialOf(adapter: Adapter): number {
  const known = serials.get(adapter) ?? ++serial;
  serials.set(adapter, known);
  return known;
}

/** LoRA matrices of one adapter on one layer; alpha / rank is in `up`. */
interface Lora extends LowRank {
  /** Index of its scale in `Stack.scales`. */
  readonly scaleIndex: number;
}

/** A change that is merged into a weight. */
interface Merge {
  readonly delta: Delta;
  readonly scale: number;
}

/**
 * Combines adapters on one part of a model; null when none of them changes it.
 * @throws RequestError when a kind that must be merged has a scale that depends on the row or sample
 */
export function stackOn(part: Part, attached: readonly Attached[]): Stack | null {
  const loras = new Map<string, Lora[]>();
  const merges = new Map<string, Merge[]>();
  for (const [a, { adapter, scale }] of attached.entries()) {
    for (const target of adapter.targets) {
      if (target.part !== part) continue;
      const { layer, delta } = target;
      const block = blockOf(layer);
      const matrices = lowRank(delta);
      if (matrices) {
        const scaleIndex = a * BLOCKS.length + BLOCKS.indexOf(block);
        append(loras, layer, { down: matrices.down, up: scaled(matrices.up, strengthOf(delta)), scaleIndex });
        continue;
      }
      checkConstant(adapter, layer, delta, scale);
      const merge = { delta, scale: scaleAt(scale, 0, block) };
      if (changesWeight(delta)) append(merges, `${layer}.weight`, merge);
      if (changesBias(delta)) append(merges, `${layer}.bias`, merge);
    }
  }
  if (loras.size === 0 && merges.size === 0) return null;
  // Scales of LoRAs are inputs of each call; those of merged changes are part of the merged weights.
  const merged = merges.size > 0 ? attached.map((x) => x.scale) : [];
  return {
    loraLayers: new Set(loras.keys()),
    mergedWeights: new Set(merges.keys()),
    loraInputs: (names) =>
      Object.fromEntries(
        [...names].flatMap((name) => {
          const [, layer = "", input = ""] = /^(.+)\.(\w+)$/.exec(name) ?? [];
          const here = loras.get(layer);
          const make = INPUTS.get(input);
          return here && make ? [[name, make(here)] as const] : [];
        }),
      ),
    merge: (name, weight) => {
      const apply = name.endsWith(".bias") ? applyBias : applyDelta;
      return (merges.get(name) ?? []).reduce((w, { delta, scale }) => apply(delta, w, scale), weight);
    },
    scales: (row, sample) => attached.flatMap(({ scale }) => BLOCKS.map((block) => scaleAt(scale, row, block, sample))),
    // Names of graph inputs, with one for the three of each LoRA.
    graphKey: JSON.stringify([...[...loras.keys()].map((layer) => `${layer}.down`), ...merges.keys()].toSorted()),
    inputKey: JSON.stringify([attached.map((x) => serialOf(x.adapter)), merged]),
  };
}

const append = <T>(map: Map<string, T[]>, key: string, value: T): unknown =>
  map.set(key, [...(map.get(key) ?? []), value]);

const scaled = ({ shape, data }: FloatTensor, by: number): FloatTensor =>
  float(
    shape,
    data.map((v) => v * by),
  );

/** @throws RequestError when the scale of a merged change depends on the row or sample */
function checkConstant({ file }: Adapter, layer: string, delta: Delta, { rows, samples }: Scale): void {
  const by = rows.length > 0 ? "rows" : samples ? "samples" : null;
  if (by === null) return;
  const kind = delta.kind === "low-rank" ? "DoRA" : delta.kind;
  throw new RequestError(
    `${file}: ${layer} has a change of kind ${kind}, which is merged into the weights; its scale cannot differ between ${by}`,
  );
}

/** LoRA inputs by suffix: "down_t" [I, R] and "up_t" [R, O] of linear layers, "down" [R, I, k, k] and "up" [O, R, 1, 1] of convolutions. */
const INPUTS: ReadonlyMap<string, (loras: readonly Lora[]) => Tensor> = new Map<
  string,
  (loras: readonly Lora[]) => Tensor
>([
  [
    "down",
    (loras) => {
      const kernel = loras[0]?.down.shape.slice(2) ?? [];
      return concatenatedDown(loras, kernel.length === 0 ? [1, 1] : kernel);
    },
  ],
  [
    "up",
    (loras) => {
      const { shape, data } = concatenatedUp(loras);
      return float([...shape, 1, 1], data);
    },
  ],
  ["down_t", (loras) => transposed(concatenatedDown(loras))],
  ["up_t", (loras) => transposed(concatenatedUp(loras))],
  [
    "scale_index",
    (loras) => {
      const indices = loras.flatMap((l) => Array.from({ length: l.down.shape[0] ?? 0 }, () => l.scaleIndex));
      return int([indices.length], indices);
    },
  ],
]);

/** Concatenated down matrices [ΣR, I], or with a kernel [ΣR, I, k, k]. */
function concatenatedDown(loras: readonly Lora[], kernel: readonly number[] = []): FloatTensor {
  const rank = loras.reduce((n, { down }) => n + (down.shape[0] ?? 0), 0);
  const data = new Float32Array(loras.reduce((n, { down }) => n + down.data.length, 0));
  let at = 0;
  for (const { down } of loras) {
    data.set(down.data, at);
    at += down.data.length;
  }
  return float([rank, data.length / rank / count(kernel), ...kernel], data);
}

/** Concatenated up matrices [O, ΣR]. */
function concatenatedUp(loras: readonly Lora[]): FloatTensor {
  const outputs = loras[0]?.up.shape[0] ?? 0;
  const rank = loras.reduce((n, { up }) => n + (up.shape[1] ?? 0), 0);
  const data = new Float32Array(outputs * rank);
  let column = 0;
  for (const { up } of loras) {
    const r = up.shape[1] ?? 0;
    for (let o = 0; o < outputs; o++) data.set(up.data.subarray(o * r, (o + 1) * r), o * rank + column);
    column += r;
  }
  return float([outputs, rank], data);
}
