/** An adapter as tensors again, in the words of diffusers (PEFT) or of kohya's trainer; and what it is, in a few facts. */
import { RequestError } from "../errors.js";
import { stabilityNames } from "../families/index.js";
import { type FloatTensor, float } from "../tensor/index.js";
import { type Delta, lowRank, rankOf, strengthOf } from "./delta.js";
import type { Layers, Part } from "./names.js";
import type { Adapter, Target } from "./read.js";
import { BLOCKS, type Block, blockOf } from "./scale.js";

export const DIALECTS = ["peft", "kohya"] as const;
export type Dialect = (typeof DIALECTS)[number];

/**
 * The tensors of a file in a dialect. PEFT has no alpha: strength goes into lora_B. kohya's names are Stability's for SDXL (a second text
 * encoder tells) and diffusers' for Stable Diffusion 1.x and 2.x, as its trainer writes them.
 * @throws RequestError where the dialect cannot say it
 */
export function adapterTensors(adapter: Adapter, dialect: Dialect, layers: Layers): Record<string, FloatTensor> {
  const sgm = layers.has("text_encoder_2")
    ? stabilityNames([...(layers.get("unet")?.keys() ?? [])])
    : new Map<string, string>();
  return Object.fromEntries(
    adapter.targets.flatMap((target) => {
      const { delta } = target;
      if (delta.kind === "difference" && dialect === "kohya") return differences(target, sgm.get(target.layer));
      const plain = lowRank({ ...delta, ...("magnitude" in delta && { magnitude: null }) });
      if (!plain) {
        throw new RequestError(
          `${adapter.file}: ${target.layer} is changed by a ${delta.kind}, which is no product of two factors; only LoRA, LoCon and DoRA can be converted`,
        );
      }
      return dialect === "peft" ? peft(adapter.file, target, plain) : kohya(target, plain, sgm.get(target.layer));
    }),
  );
}

type Plain = NonNullable<ReturnType<typeof lowRank>>;

const long = (part: Part, layer: string): string =>
  part === "unet" || /^text_(model|projection)/.test(layer) ? layer : `text_model.${layer}`;

/** Ups of convolutions are 1×1 convolutions in every file. */
const upShaped = ({ down, up }: Plain, by: number): FloatTensor =>
  float(
    [...up.shape, ...down.shape.slice(2).map(() => 1)],
    up.data.map((v) => v * by),
  );

function peft(file: string, { part, layer, delta }: Target, plain: Plain): [string, FloatTensor][] {
  const key = `${part}.${long(part, layer)}`;
  const tensors: [string, FloatTensor][] = [
    [`${key}.lora_A.weight`, plain.down],
    [`${key}.lora_B.weight`, upShaped(plain, strengthOf(delta))],
  ];
  const magnitude = delta.kind === "low-rank" ? delta.magnitude : null;
  if (!magnitude) return tensors;
  if (magnitude.shape[0] !== plain.up.shape[0]) {
    throw new RequestError(
      `${file}: ${layer} has DoRA lengths for its inputs (kohya's way); PEFT knows only those for outputs`,
    );
  }
  return [...tensors, [`${key}.lora_magnitude_vector`, float([magnitude.data.length], magnitude.data)]];
}

function differences({ part, layer, delta }: Target, sgm: string | undefined): [string, FloatTensor][] {
  if (delta.kind !== "difference") return [];
  const key = kohyaName(part, layer, sgm);
  return [
    ...(delta.weight ? [[`${key}.diff`, delta.weight] as [string, FloatTensor]] : []),
    ...(delta.bias ? [[`${key}.diff_b`, delta.bias] as [string, FloatTensor]] : []),
  ];
}

const PREFIX: { readonly [P in Part]: string } = {
  unet: "lora_unet_",
  text_encoder: "lora_te1_",
  text_encoder_2: "lora_te2_",
};

const kohyaName = (part: Part, layer: string, sgm: string | undefined): string =>
  `${PREFIX[part]}${(sgm ?? long(part, layer)).replaceAll(".", "_")}`;

function kohya({ part, layer, delta }: Target, plain: Plain, sgm: string | undefined): [string, FloatTensor][] {
  const key = kohyaName(part, layer, sgm);
  const magnitude = delta.kind === "low-rank" ? delta.magnitude : null;
  const rank = plain.down.shape[0] ?? 1;
  return [
    [`${key}.lora_down.weight`, plain.down],
    [`${key}.lora_up.weight`, upShaped(plain, 1)],
    [`${key}.alpha`, float([], Float32Array.of(strengthOf(delta) * rank))],
    ...(magnitude ? [[`${key}.dora_scale`, magnitude] as [string, FloatTensor]] : []),
  ];
}

/** What an adapter is. */
export interface AdapterFacts {
  readonly file: string;
  readonly dialects: readonly string[];
  readonly kinds: Readonly<Record<string, number>>;
  /** Least and greatest. */
  readonly ranks: readonly [number, number] | null;
  /** Every alpha that occurs; null where a layer has none. */
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
      const count = (block: Block) => own.filter((t) => blockOf(t.layer) === block).length;
      const blocks = Object.fromEntries(BLOCKS.map((b) => [b, count(b)] as const)) as Record<Block, number>;
      return { part, layers: own.length, blocks };
    }),
    parameters: adapter.targets.reduce((n, t) => n + sizeOf(t.delta), 0),
    unmatched: adapter.unmatched,
    untouched: adapter.untouched,
  };
}

function kindOf(delta: Delta): string {
  if (delta.kind !== "low-rank")
    return { hadamard: "LoHa", kronecker: "LoKr", difference: "difference", replacement: "replacement" }[delta.kind];
  if (delta.magnitude) return "DoRA";
  return delta.mid ? "LoCon with a middle" : "LoRA";
}

/** Numbers in a delta's tensors. */
function sizeOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  if ("data" in value && value.data instanceof Float32Array) return value.data.length;
  return Object.values(value).reduce<number>((n, v) => n + sizeOf(v), 0);
}
