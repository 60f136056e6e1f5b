/**
 * Several adapters on one network at once. Low-rank changes of a layer stand side by side along the rank and enter the graph as
 * inputs; a slot for each adapter and block holds its scale, so that scales change from picture to picture and from row to row while
 * nothing is loaded again. All other kinds are merged into copies of the weights they touch, which become inputs too.
 */
import { RequestError } from "../errors.js";
import { count, type FloatTensor, float, int, type Tensor, transposed } from "../tensor/index.js";
import { applyBias, applyDelta, type Delta, lowRank, strengthOf } from "./delta.js";
import type { Part } from "./names.js";
import type { Adapter } from "./read.js";
import { BLOCKS, blockOf, type Scale, scaleAt } from "./scale.js";

export interface Attached {
  readonly adapter: Adapter;
  readonly scale: Scale;
}

export interface Stack {
  /** Layers whose change enters as inputs of the graph. */
  readonly live: ReadonlySet<string>;
  /** What the inputs of a graph drawn for this stack hold from call to call: factors and slots, by input name; merged weights are not among them. */
  factors(names: Iterable<string>): Record<string, Tensor>;
  /** Scales of the slots in a row of the plan [slots]; `factors` replaces each adapter's whole scale, for one picture of many. */
  scales(row: number, factors?: readonly (number | undefined)[]): number[];
  /** Layers whose merged weights enter as inputs of the graph, with what happens to them. */
  readonly merged: ReadonlyMap<string, readonly { readonly delta: Delta; readonly scale: number }[]>;
  /** Tells stacks apart whose graphs differ. */
  readonly graphKey: string;
  /** Tells stacks apart whose held inputs differ. */
  readonly inputKey: string;
}

const serials = new WeakMap<Adapter, number>();
let serial = 0;
function serialOf(adapter: Adapter): number {
  const known = serials.get(adapter) ?? ++serial;
  serials.set(adapter, known);
  return known;
}

/** One low-rank change of a layer. */
interface Factor {
  /** [R, I] or [R, I, k, k]. */
  readonly down: FloatTensor;
  /** [O, R]; strength is in it. */
  readonly up: FloatTensor;
  readonly slot: number;
}

/**
 * Stacks adapters on one part of a model; null when none reaches it.
 * @throws RequestError when a kind that must be merged is asked to change from row to row
 */
export function stackOn(part: Part, attached: readonly Attached[]): Stack | null {
  const factors = new Map<string, Factor[]>();
  const merged = new Map<string, { delta: Delta; scale: number }[]>();
  for (const [a, { adapter, scale }] of attached.entries()) {
    for (const target of adapter.targets) {
      if (target.part !== part) continue;
      const pair = lowRank(target.delta);
      const block = blockOf(target.layer);
      if (pair) {
        const strength = strengthOf(target.delta);
        const up = float(
          pair.up.shape,
          pair.up.data.map((v) => v * strength),
        );
        const slot = a * BLOCKS.length + BLOCKS.indexOf(block);
        factors.set(target.layer, [...(factors.get(target.layer) ?? []), { down: pair.down, up, slot }]);
        continue;
      }
      if (scale.rows.length > 0) {
        throw new RequestError(
          `${adapter.file}: ${target.layer} is changed by a ${nameOf(target.delta)}, which is merged into the weights and cannot change from row to row`,
        );
      }
      const changes = merged.get(target.layer) ?? [];
      merged.set(target.layer, [...changes, { delta: target.delta, scale: scaleAt(scale, 0, block) }]);
    }
  }
  if (factors.size === 0 && merged.size === 0) return null;
  const ids = attached.map((x) => serialOf(x.adapter));
  const fixed = merged.size > 0 ? attached.map((x) => x.scale) : [];
  const sorted = (names: Iterable<string>) => [...names].sort((a, b) => (a < b ? -1 : 1));
  return {
    live: new Set(factors.keys()),
    merged,
    graphKey: JSON.stringify([sorted(factors.keys()), sorted(merged.keys())]),
    inputKey: JSON.stringify([ids, fixed]),
    scales: (row, own = []) =>
      attached.flatMap(({ scale }, a) => {
        const whole = own[a];
        const here = whole === undefined ? scale : { ...scale, whole, rows: [] };
        return BLOCKS.map((block) => scaleAt(here, row, block));
      }),
    factors: (names) =>
      Object.fromEntries(
        [...names].flatMap((name) => {
          const [, layer = "", what = ""] = /^(.+)\.(down|up|down_t|up_t|slots)$/.exec(name) ?? [];
          const held = factors.get(layer);
          return held ? [[name, INPUTS[what as keyof typeof INPUTS](held)] as const] : [];
        }),
      ),
  };
}

const nameOf = (delta: Delta): string => (delta.kind === "low-rank" ? "DoRA" : delta.kind);

/** A merged layer's weight and bias. */
export function mergeLayer(
  changes: readonly { readonly delta: Delta; readonly scale: number }[],
  weight: FloatTensor,
  bias: FloatTensor | null,
): { weight: FloatTensor; bias: FloatTensor | null } {
  return {
    weight: changes.reduce((w, { delta, scale }) => applyDelta(delta, w, scale), weight),
    bias: bias && changes.reduce((b, { delta, scale }) => applyBias(delta, b, scale), bias),
  };
}

/** Inputs as linear layers take them ([I, R], [R, O]: ready to multiply from the right) and as convolutions do ([R, I, k, k], [O, R, 1, 1]). */
const INPUTS: { readonly [N in "down" | "up" | "down_t" | "up_t" | "slots"]: (factors: readonly Factor[]) => Tensor } =
  {
    down: (factors) => {
      const kernel = factors[0]?.down.shape.slice(2) ?? [];
      return joined(
        factors.map((f) => f.down),
        kernel.length === 0 ? [1, 1] : kernel,
      );
    },
    up: (factors) => {
      const { shape, data } = upSideBySide(factors);
      return float([...shape, 1, 1], data);
    },
    down_t: (factors) => transposed(joined(factors.map((f) => f.down))),
    up_t: (factors) => transposed(upSideBySide(factors)),
    slots: (factors) => {
      const slots = factors.flatMap((f) => Array.from({ length: f.down.shape[0] ?? 0 }, () => f.slot));
      return int([slots.length], slots);
    },
  };

/** Downs one under the other: [ΣR, I] or, with a kernel, [ΣR, I, k, k]. */
function joined(downs: readonly FloatTensor[], kernel: readonly number[] = []): FloatTensor {
  const rank = downs.reduce((n, d) => n + (d.shape[0] ?? 0), 0);
  const data = new Float32Array(downs.reduce((n, d) => n + d.data.length, 0));
  let at = 0;
  for (const d of downs) {
    data.set(d.data, at);
    at += d.data.length;
  }
  return float([rank, data.length / rank / count(kernel), ...kernel], data);
}

/** Ups side by side: [O, ΣR]. */
function upSideBySide(factors: readonly Factor[]): FloatTensor {
  const outputs = factors[0]?.up.shape[0] ?? 0;
  const rank = factors.reduce((n, f) => n + (f.up.shape[1] ?? 0), 0);
  const data = new Float32Array(outputs * rank);
  let column = 0;
  for (const { up } of factors) {
    const r = up.shape[1] ?? 0;
    for (let o = 0; o < outputs; o++) data.set(up.data.subarray(o * r, (o + 1) * r), o * rank + column);
    column += r;
  }
  return float([outputs, rank], data);
}
