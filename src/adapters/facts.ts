/** Facts about an adapter: kinds, ranks, alphas, and the layers it changes. */
import { type Delta, rankOf } from "./delta.js";
import type { Part } from "./names.js";
import type { Adapter } from "./read.js";
import { type Block, blockOf } from "./scale.js";

export interface AdapterFacts {
  readonly file: string;
  readonly dialects: readonly string[];
  /** Changed layers by kind. */
  readonly kinds: Readonly<Record<string, number>>;
  /** Smallest and largest; null where no kind has a rank. */
  readonly ranks: readonly [number, number] | null;
  /** Every alpha that occurs; null stands for layers without one. */
  readonly alphas: readonly (number | null)[];
  readonly targets: readonly {
    readonly part: Part;
    readonly layers: number;
    readonly blocks: Readonly<Record<Block, number>>;
  }[];
  readonly parameters: number;
  readonly unmatched: readonly string[];
  readonly untouched: number;
}

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

/** The name that users know a kind by. */
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
