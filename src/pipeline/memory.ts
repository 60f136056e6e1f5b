/** How the networks of a pair share memory, and what each way takes: one set of weights, two, or one after the other. */
import type { WeightIndex } from "../tensor/index.js";
import { BYTES, count } from "../tensor/index.js";
import type { Pair } from "./pair.js";
import type { PairRow } from "./pairs.js";

/**
 * shared: one set of weights, the distilled model is the base with its LoRA on (the default for a LoRA). dual: both models stay loaded, pictures appear batch by batch. sequential: all prompts are encoded, then every batch runs the
 * base's rows, then the distilled model's, then all are decoded; a network is let go before the next is loaded.
 */
export const MEMORIES = ["shared", "dual", "sequential"] as const;
export type Memory = (typeof MEMORIES)[number];

export interface MemoryNeed {
  readonly memory: Memory;
  /** Weights in memory at the peak of a run; what a call works in comes on top. */
  readonly bytes: number;
}

interface Parts {
  readonly text: number;
  readonly base: number;
  readonly distilled: number;
  readonly decoder: number;
}

const needs = ({ text, base, distilled, decoder }: Parts, lora: boolean): MemoryNeed[] => [
  ...(lora ? [{ memory: "shared" as const, bytes: text + base + decoder }] : []),
  { memory: "dual", bytes: text + base + distilled + decoder },
  { memory: "sequential", bytes: Math.max(text, base, distilled, decoder) },
];

/** What the weights of an opened pair take on the processor, where everything is computed in float32. */
export async function memoryNeeds(pair: Pair): Promise<MemoryNeed[]> {
  const text = await Promise.all(pair.text.weights.map(loaded));
  const parts = {
    text: text.reduce((n, bytes) => n + bytes, 0),
    base: await loaded(pair.base.weights),
    distilled: pair.distilled ? await loaded(pair.distilled.weights) : 0,
    decoder: await loaded(pair.decoder.weights),
  };
  return needs(parts, pair.distilled?.adapter != null);
}

/** Parameters of text encoders and decoder beside the UNet of each family (SD 1.5: 123 M and 84 M; SDXL: 817 M and 84 M). */
const BESIDE = { sd: { text: 0.123e9, decoder: 0.084e9 }, sdxl: { text: 0.817e9, decoder: 0.084e9 } } as const;

/** The same for a named pair that has not been fetched, from the parameters its row tells; null where it tells none. */
export function memoryNeedsOf({ parameters, family, distilled }: PairRow): MemoryNeed[] | null {
  if (parameters === null) return null;
  // Half precision on disk, as the Hub's files are: mapped, and cast to float32 at load.
  const half = (n: number) => n * (BYTES.float16 + BYTES.float32);
  const { text, decoder } = BESIDE[family];
  const parts = { text: half(text), base: half(parameters), distilled: half(parameters), decoder: half(decoder) };
  return needs(parts, /lora/i.test(distilled));
}

/** float32 is mapped where it lies, or where it was unpacked to; everything else is cast to float32 beside it. */
async function loaded(weights: () => Promise<WeightIndex>): Promise<number> {
  let bytes = 0;
  for (const { dtype, shape } of (await weights()).weights.values()) {
    bytes += count(shape) * (BYTES[dtype] + (dtype === "float32" ? 0 : BYTES.float32));
  }
  return bytes;
}
