/** Facts about an adapter: kinds, ranks, alphas, and the layers it changes. */
import { type Delta, rankOf } from "./delta.js";
import type { Part } from "./names.js";
import type { Adapter } from "./read.js";
import { type Block, blockOf } from "./scale.js";

/** Facts about an adapter, for display. */
export interface AdapterFacts {
  readonly file: string;
  readonly dialects: readonly string[];
  /** Number of changes by kind. */
  readonly kinds: Readonly<Record<string, number>>;
  /** Smallest and largest rank; null when no kind has one. */
  readonly ranks: readonly [number, number] | null;
  /** Distinct alphas; null for layers without one. */
  readonly alphas: readonly (number | null)[];
  /** Changed layers, by part of the model and block of the UNet. */
  readonly targets: readonly {
    readonly part: Part;
    readonly layers: number;
    readonly blocks: Readonly<Record<Block, number>>;
  }[];
  readonly parameters: number;
  /** Keys that belong to no layer of the model. */
  readonly unmatched: readonly string[];
  /** Number of layers of the model without a change. */
  readonly untouched: number;
}

/** Collects the facts of an adapter. */
export function adapterFacts(adapter: Adapter): AdapterFacts {
  const kinds: Record<string, number> = {};
  for (const { delta } of adapter.targets) kinds[kindOf(delta)] = (kinds[kindOf(delta)] ?? 0) + 1;
  const ranks = adapter.targets.flatMap((t) => rankOf(t.delta) ?? []);
  const parts = [...new Set(adapter.targets.map((t) => t.part))];
  return {
    file: adapter.file,
    dialects: adapter.dialects,
    kinds,
    ranks: ranks.length > 0 ? [Math.min(...ranks), Math.max(...ranks)] : null,
    alphas: [...new Set(adapter.targets.flatMap((t) => ("alpha" in t.delta ? [t.delta.alpha] : [])))],
    targets: parts.map((part) => {
      const own = adapter.targets.filter((t) => t.part === part);
      const layersIn = (block: Block) => own.filter((t) => blockOf(t.layer) === block).length;
      return {
        part,
        layers: own.length,
        blocks: { down: layersIn("down"), mid: layersIn("mid"), up: layersIn("up"), other: layersIn("other") },
      };
    }),
    parameters: adapter.targets.reduce((n, t) => n + sizeOf(t.delta), 0),
    unmatched: adapter.unmatched,
    untouched: adapter.untouched,
  };
}

const KINDS: { readonly [K in Delta["kind"]]: string } = {
  "low-rank": "LoRA",
  hadamard: "LoHa",
  kronecker: "LoKr",
  difference: "difference",
  replacement: "replacement",
};

/** Display name of a kind: "LoRA", "LoHa", "DoRA" … */
export function kindOf(delta: Delta): string {
  const kind = delta.kind === "low-rank" && delta.mid ? "LoCon with a Tucker core" : KINDS[delta.kind];
  if (!("magnitude" in delta) || delta.magnitude === null) return kind;
  return delta.kind === "low-rank" ? "DoRA" : `DoRA of a ${kind}`;
}

/** Number of values in a change's tensors. */
function sizeOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  if ("data" in value && value.data instanceof Float32Array) return value.data.length;
  return Object.values(value).reduce<number>((n, v) => n + sizeOf(v), 0);
}
