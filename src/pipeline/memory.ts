/** How the networks of a pair share memory, and what each way takes: one set of weights, two, or one after the other. */
import { drawUNet } from "../models/index.js";
import { BYTES, count, type Weight, type WeightIndex } from "../tensor/index.js";
import type { Model, Pair } from "./pair.js";
import type { PairRow } from "./pairs.js";
import { type Compute, derivations } from "./precision.js";

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

/** What the weights of an opened pair take in what it computes in. */
export async function memoryNeeds(pair: Pair): Promise<MemoryNeed[]> {
  // Only the UNet is quantised (openPair), and a decoder that overflows in float16 stays float32.
  const beside = pair.compute === "int8" ? "float32" : pair.compute;
  const { config } = pair.decoder;
  const decoding = "forceUpcast" in config && config.forceUpcast ? "float32" : beside;
  const text = await Promise.all(pair.text.weights.map((weights) => loaded(weights, beside)));
  const unet = (model: Model) => (pair.compute === "int8" ? quantised(model) : loaded(model.weights, pair.compute));
  const parts = {
    text: text.reduce((n, bytes) => n + bytes, 0),
    base: await unet(pair.base),
    distilled: pair.distilled ? await unet(pair.distilled) : 0,
    decoder: await loaded(pair.decoder.weights, decoding),
  };
  return needs(parts, pair.distilled?.adapter != null);
}

/** Parameters of text encoders and decoder beside the UNet of each family (SD 1.5: 123 M and 84 M; SDXL: 817 M and 84 M). */
const BESIDE = { sd: { text: 0.123e9, decoder: 0.084e9 }, sdxl: { text: 0.817e9, decoder: 0.084e9 } } as const;

/** The same for a named pair that has not been fetched, from the parameters its row tells; null where it tells none. */
export function memoryNeedsOf(
  { parameters, family, distilled }: PairRow,
  compute: Compute = "float32",
): MemoryNeed[] | null {
  // How much of a network is matrices, only its files tell.
  if (parameters === null || compute === "int8") return null;
  // Half precision on disk, as the Hub's files are: mapped, and cast to float32 at load unless float16 is what is computed in.
  const half = (n: number) => n * (BYTES.float16 + (compute === "float16" ? 0 : BYTES.float32));
  const { text, decoder } = BESIDE[family];
  const parts = { text: half(text), base: half(parameters), distilled: half(parameters), decoder: half(decoder) };
  return needs(parts, /lora/i.test(distilled));
}

/** Bytes of a weight that is computed with as `type`: mapped where it lies if that is what it is stored as, else cast beside it. */
function taken({ dtype, shape, bytes }: Weight, type: "float32" | "float16"): number {
  // Blocks are unpacked into a file of the right type, which is mapped.
  if (bytes.in === "blocks") return count(shape) * BYTES[type];
  return count(shape) * (BYTES[dtype] + (dtype === type ? 0 : BYTES[type]));
}

async function loaded(weights: () => Promise<WeightIndex>, type: "float32" | "float16"): Promise<number> {
  return [...(await weights()).weights.values()].reduce((n, w) => n + taken(w, type), 0);
}

/** A UNet whose matrices are whole numbers: those ONNX Runtime keeps laid out anew, everything else is float32. */
async function quantised({ unet, weights }: Model): Promise<number> {
  const side = 2 ** unet.down.length;
  const graph = drawUNet(unet, await weights(), { height: side, width: side, tokens: 8 });
  const made = derivations(graph, "int8");
  return [...graph.weights.values()].reduce((n, weight) => {
    const makes = made.get(weight.name)?.makes;
    return n + (makes?.reduce((m, { dtype, shape }) => m + count(shape) * BYTES[dtype], 0) ?? taken(weight, "float32"));
  }, 0);
}
