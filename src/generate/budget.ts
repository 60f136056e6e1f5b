/** The memory that weights take under each loading strategy, and which strategies fit a memory budget. */
import type { Graph } from "../graph/index.js";
import type { Compute } from "../networks/index.js";
import { derivations } from "../networks/index.js";
import type { Upcast } from "../runtime/index.js";
import { BYTES, count, type Weight, type WeightIndex } from "../tensor/index.js";
import type { Offload } from "./request.js";

/** Bytes of a network's weights. */
export interface WeightSize {
  /** As float32, or as they are quantised. */
  readonly bytes: number;
  /** As they are stored, while half precision is upcast in every call. */
  readonly stored: number;
}

/** Weights of the parts of a pair. */
export interface PartSizes {
  readonly text: WeightSize;
  readonly base: WeightSize;
  readonly distilled: WeightSize;
  readonly decoder: WeightSize;
  /** The distilled model is a LoRA on the base's weights. */
  readonly isLora: boolean;
}

export interface MemoryNeed extends WeightSize {
  readonly offload: Offload;
}

/** Share of the budget that weights may take: the rest is for calls to work in. */
const WEIGHTS = 0.75;

/**
 * Share of the budget up to which half precision is upcast as it loads. Upcast in every call costs a tenth of a step of SDXL at 512 px
 * and a fiftieth at 1024; upcast once, it takes twice the memory and a load as long as many steps.
 */
const UPCAST = 1 / 8;

export const NO_WEIGHT: WeightSize = { bytes: 0, stored: 0 };
export const addSizes = (sizes: readonly WeightSize[]): WeightSize =>
  sizes.reduce((a, b) => ({ bytes: a.bytes + b.bytes, stored: a.stored + b.stored }), NO_WEIGHT);

/** Memory for weights at the peak of a run under each strategy. The pair's default comes first. */
export function strategyNeeds({ text, base, distilled, decoder, isLora }: PartSizes): MemoryNeed[] {
  const of = (offload: Offload, total: (kind: keyof WeightSize) => number): MemoryNeed => ({
    offload,
    bytes: total("bytes"),
    stored: total("stored"),
  });
  return [
    ...(isLora ? [of("shared", (k) => text[k] + base[k] + decoder[k])] : []),
    of("none", (k) => text[k] + base[k] + distilled[k] + decoder[k]),
    of("sequential", (k) => Math.max(text[k], base[k], distilled[k], decoder[k])),
  ];
}

/** Bytes of one weight that is computed with as `type`. Mapped pages that were cast once can be dropped, so they are not counted. */
function weightSize({ dtype, shape, bytes }: Weight, type: "float32" | "float16"): WeightSize {
  const whole = count(shape) * BYTES[type];
  // Quantised blocks are unpacked into a file of the right type, which is mapped.
  return { bytes: whole, stored: bytes.in === "blocks" ? whole : count(shape) * BYTES[dtype] };
}

/** Bytes of all weights of an index. */
export const indexSize = ({ weights }: WeightIndex, compute: Compute): WeightSize =>
  addSizes([...weights.values()].map((w) => weightSize(w, compute === "float16" ? "float16" : "float32")));

/** Bytes of a graph's weights in int8: quantised matrices, which ONNX Runtime keeps packed, and the rest in float32. */
export function quantisedSize(graph: Graph): WeightSize {
  const made = derivations(graph, "int8");
  return addSizes(
    [...graph.weights.values()].map((weight) => {
      const makes = made.get(weight.name)?.makes;
      if (!makes) return weightSize(weight, "float32");
      const bytes = makes.reduce((m, { dtype, shape }) => m + count(shape) * BYTES[dtype], 0);
      return { bytes, stored: bytes };
    }),
  );
}

/** A loading strategy in a memory budget. */
export interface MemoryUse {
  readonly offload: Offload;
  /** Memory for weights at the peak. */
  readonly bytes: number;
  /** Leaves enough for calls to work in. */
  readonly fits: boolean;
}

/** When half precision is upcast within a budget. */
export const upcastIn = ([usual]: readonly MemoryNeed[], budget: number): Upcast =>
  usual && usual.bytes > UPCAST * budget ? "per-call" : "at-load";

/** Each strategy in a budget of so many bytes. */
export function memoryUses(needs: readonly MemoryNeed[], budget: number): MemoryUse[] {
  const upcast = upcastIn(needs, budget);
  return needs.map(({ offload, bytes, stored }) => {
    const taken = upcast === "at-load" ? bytes : stored;
    return { offload, bytes: taken, fits: taken <= WEIGHTS * budget };
  });
}
