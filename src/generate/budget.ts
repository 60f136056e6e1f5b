/** Memory for weights under each loading strategy, and the strategies that fit a memory budget. */
import type { Graph } from "../graph/index.js";
import type { Compute } from "../networks/index.js";
import { derivations, openVinoBytes, packedBytes } from "../networks/index.js";
import type { Device, Upcast } from "../runtime/index.js";
import { BYTES, count, type Weight, type WeightIndex } from "../tensor/index.js";
import type { Offload } from "./request.js";
import type { Working } from "./working.js";

/** Bytes of a network's weights. */
export interface WeightSize {
  /** Size in float32, or quantised. */
  readonly bytes: number;
  /** Size as stored, for half precision that is upcast in every call; blocks of GGUF files unpacked to float32. */
  readonly stored: number;
  /** Size as stored, with blocks that stay packed where they can, to be unpacked in every call. */
  readonly packed: number;
}

/** Weight sizes of the parts of a pair. */
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
  /** Sizes with the working memory of model calls, where it is known. */
  readonly peak?: WeightSize;
}

/** Share of the budget for weights where the working memory of model calls, the rest, is not known. */
export const WEIGHTS = 0.75;

/**
 * Share of the budget up to which half-precision weights are upcast at load. Upcasting in every call adds a tenth to a step of SDXL at
 * 512 px and a fiftieth at 1024. Upcasting at load takes twice the memory, and as long as many steps.
 */
const UPCAST = 1 / 8;

/** Size of weights that are the same in every form. */
const fixedSize = (bytes: number): WeightSize => ({ bytes, stored: bytes, packed: bytes });

export const NO_WEIGHT: WeightSize = fixedSize(0);
export const addSizes = (sizes: readonly WeightSize[]): WeightSize =>
  sizes.reduce(
    (a, b) => ({ bytes: a.bytes + b.bytes, stored: a.stored + b.stored, packed: a.packed + b.packed }),
    NO_WEIGHT,
  );

/** Memory of the parts that are loaded together under a strategy. */
const TOTALS: { readonly [O in Offload]: (of: (part: keyof Working) => number) => number } = {
  shared: (of) => of("text") + of("base") + of("decoder"),
  none: (of) => of("text") + of("base") + of("distilled") + of("decoder"),
  sequential: (of) => Math.max(of("text"), of("base"), of("distilled"), of("decoder")),
};

/** Peak memory under each strategy, for weights, and with `working` memory. The pair's default comes first. */
export function strategyNeeds({ isLora, ...parts }: PartSizes, working?: Working): MemoryNeed[] {
  const sizes = (offload: Offload, more?: Working): WeightSize => {
    const total = (kind: keyof WeightSize) => TOTALS[offload]((part) => parts[part][kind] + (more?.[part] ?? 0));
    return { bytes: total("bytes"), stored: total("stored"), packed: total("packed") };
  };
  const offloads: Offload[] = [...(isLora ? (["shared"] as const) : []), "none", "sequential"];
  return offloads.map((offload) => ({
    offload,
    ...sizes(offload),
    ...(working && { peak: sizes(offload, working) }),
  }));
}

/** Bytes of one weight when computing in `type`. Mapped pages can be dropped after the cast and are not counted. */
function weightSize(weight: Weight, type: Exclude<Compute, "int8">, device: Device): WeightSize {
  if (device === "openvino") return fixedSize(openVinoBytes(weight, type === "bfloat16" ? type : "float32"));
  const { dtype, shape, bytes } = weight;
  const whole = count(shape) * BYTES[type];
  // Quantised blocks are unpacked into a file of type `type`, which is mapped.
  const stored = bytes.in === "blocks" ? whole : count(shape) * BYTES[dtype];
  const packed = type === "float32" && device === "cpu" ? packedBytes(weight) : undefined;
  return { bytes: whole, stored, packed: packed ?? stored };
}

/** Bytes of all weights of an index. */
export const indexSize = ({ weights }: WeightIndex, compute: Compute, device: Device): WeightSize =>
  addSizes([...weights.values()].map((w) => weightSize(w, compute === "int8" ? "float32" : compute, device)));

/** Bytes of a graph's weights in int8: quantised matrices, which ONNX Runtime keeps packed, and the rest in float32. */
export function quantisedSize(graph: Graph): WeightSize {
  const made = derivations(graph, { compute: "int8" });
  return addSizes(
    [...graph.weights.values()].map((weight) => {
      const makes = made.get(weight.name)?.makes;
      if (!makes) return weightSize(weight, "float32", "cpu");
      return fixedSize(makes.reduce((m, { dtype, shape }) => m + count(shape) * BYTES[dtype], 0));
    }),
  );
}

/** Loading strategy under a memory budget. */
export interface MemoryUse {
  readonly offload: Offload;
  /** Peak memory for weights. */
  readonly bytes: number;
  /** The same with the working memory of model calls; null where it is not known. */
  readonly peak: number | null;
  /** True if the peak is within the budget; where it is not known, if a quarter is left for model calls. */
  readonly fits: boolean;
}

/** Times at which weights become float32. */
export interface WeightForm {
  /** Of half precision. */
  readonly upcast: Upcast;
  /** Of matrices in blocks of GGUF files. */
  readonly unpack: Upcast;
}

const fits = (bytes: number, budget: number): boolean => bytes <= WEIGHTS * budget;

/**
 * Times at which weights become float32 under a budget in bytes: those that are asked for, else half precision by its share of the budget, and
 * blocks in every call only where no strategy fits with them unpacked.
 */
export function formIn(needs: readonly MemoryNeed[], budget: number, asked?: Upcast): WeightForm {
  if (asked) return { upcast: asked, unpack: asked };
  const [usual] = needs;
  const upcast = usual && usual.bytes > UPCAST * budget ? "per-call" : "at-load";
  return { upcast, unpack: needs.some((n) => fits(taken(n, upcast), budget)) ? "at-load" : "per-call" };
}

const taken = ({ bytes, stored }: WeightSize, upcast: Upcast): number => (upcast === "at-load" ? bytes : stored);

/** Memory use of each strategy under a budget in bytes. Default form: by the budget. */
export function memoryUses(
  needs: readonly MemoryNeed[],
  budget: number,
  { upcast, unpack }: WeightForm = formIn(needs, budget),
): MemoryUse[] {
  // Packed sizes are with half precision as stored: both are in every call.
  const of = (size: WeightSize) => (unpack === "per-call" ? size.packed : taken(size, upcast));
  return needs.map((need) => {
    const bytes = of(need);
    const peak = need.peak ? of(need.peak) : null;
    return { offload: need.offload, bytes, peak, fits: peak === null ? fits(bytes, budget) : peak <= budget };
  });
}
