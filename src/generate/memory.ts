/** How the networks of a pair share memory, what each way takes, and what is done where it would be more than the machine has. */
import os from "node:os";
import type { PairRow } from "../catalogue/index.js";
import { arenaBytes } from "../graph/index.js";
import { drawUNet } from "../models/index.js";
import { type Compute, derivations } from "../networks/index.js";
import type { Model, Pair } from "../open/index.js";
import type { Widen } from "../runtime/index.js";
import { BYTES, count, type Weight, type WeightIndex } from "../tensor/index.js";
import type { Order } from "./request.js";

/**
 * shared: one set of weights, the distilled model is the base with its LoRA on (the default for a LoRA). dual: both models stay loaded, pictures appear batch by batch. sequential: all prompts are encoded, then every batch runs the
 * base's rows, then the distilled model's, then all are decoded; a network is let go before the next is loaded.
 */
export const MEMORIES = ["shared", "dual", "sequential"] as const;
export type Memory = (typeof MEMORIES)[number];

export interface MemoryNeed {
  readonly memory: Memory;
  /** Weights in memory at the peak of a run, as float32; what a call works in comes on top. */
  readonly bytes: number;
  /** The same while weights in half precision stay as they are stored, and are widened in every call. */
  readonly stored: number;
}

/** Bytes of a part's weights. */
interface Size {
  readonly bytes: number;
  readonly stored: number;
}

interface Parts {
  readonly text: Size;
  readonly base: Size;
  readonly distilled: Size;
  readonly decoder: Size;
}

/** Share of the machine's memory that a run may take: the rest is for others. */
const ROOM = 0.8;

/** Share of the room that weights may take: the rest is what calls work in. */
const WEIGHTS = 0.75;

/**
 * Share of the room up to which half precision is widened once. To widen it in every call costs a tenth of a step of SDXL at 512 px and
 * a fiftieth at 1024; to have it wide, twice the memory and a load that takes as long as many steps.
 */
const WIDENED = 1 / 8;

/** What a run may take of this machine, or of what it is held to (a container's limit), in bytes. */
export function machineRoom(): number {
  const held = process.constrainedMemory();
  return ROOM * (held > 0 ? Math.min(held, os.totalmem()) : os.totalmem());
}

function needs({ text, base, distilled, decoder }: Parts, lora: boolean): MemoryNeed[] {
  const of = (memory: Memory, total: (kind: keyof Size) => number): MemoryNeed => ({
    memory,
    bytes: total("bytes"),
    stored: total("stored"),
  });
  return [
    ...(lora ? [of("shared", (k) => text[k] + base[k] + decoder[k])] : []),
    of("dual", (k) => text[k] + base[k] + distilled[k] + decoder[k]),
    of("sequential", (k) => Math.max(text[k], base[k], distilled[k], decoder[k])),
  ];
}

/** The parts of a pair whose weights a run takes. */
export type Weighed = Pick<Pair, "text" | "base" | "distilled" | "decoder" | "compute">;

/** What the weights of an opened pair take in what it computes in. */
export async function memoryNeeds(pair: Weighed): Promise<MemoryNeed[]> {
  // Only the UNet is quantised (openPair), and a decoder that overflows in float16 stays float32.
  const beside = pair.compute === "int8" ? "float32" : pair.compute;
  const { config } = pair.decoder;
  const decoding = "forceUpcast" in config && config.forceUpcast ? "float32" : beside;
  const unet = (model: Model) => (pair.compute === "int8" ? quantised(model) : loaded(model.weights, beside));
  const text = await Promise.all(pair.text.weights.map((weights) => loaded(weights, beside)));
  const parts = {
    text: sum(text),
    base: await unet(pair.base),
    distilled: pair.distilled ? await unet(pair.distilled) : NOTHING,
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
  // Half precision on disk, as the Hub's files are.
  const half = (n: number): Size => ({ bytes: n * BYTES[compute], stored: n * BYTES.float16 });
  const { text, decoder } = BESIDE[family];
  const parts = { text: half(text), base: half(parameters), distilled: half(parameters), decoder: half(decoder) };
  return needs(parts, /lora/i.test(distilled));
}

const NOTHING: Size = { bytes: 0, stored: 0 };
const sum = (sizes: readonly Size[]): Size =>
  sizes.reduce((a, b) => ({ bytes: a.bytes + b.bytes, stored: a.stored + b.stored }), NOTHING);

/** What a weight takes that is computed with as `type`. What was mapped to be cast once can be dropped, so it is not counted beside. */
function taken({ dtype, shape, bytes }: Weight, type: "float32" | "float16"): Size {
  const whole = count(shape) * BYTES[type];
  // Blocks are unpacked into a file of the right type, which is mapped.
  return { bytes: whole, stored: bytes.in === "blocks" ? whole : count(shape) * BYTES[dtype] };
}

const loaded = async (weights: () => Promise<WeightIndex>, type: "float32" | "float16"): Promise<Size> =>
  sum([...(await weights()).weights.values()].map((w) => taken(w, type)));

/** A UNet whose matrices are whole numbers: those ONNX Runtime keeps laid out anew, everything else is float32. */
async function quantised({ unet, weights }: Model): Promise<Size> {
  const side = 2 ** unet.down.length;
  const graph = drawUNet(unet, await weights(), { height: side, width: side, tokens: 8 });
  const made = derivations(graph, "int8");
  return sum(
    [...graph.weights.values()].map((weight) => {
      const makes = made.get(weight.name)?.makes;
      if (!makes) return taken(weight, "float32");
      const bytes = makes.reduce((m, { dtype, shape }) => m + count(shape) * BYTES[dtype], 0);
      return { bytes, stored: bytes };
    }),
  );
}

/** What a way of sharing memory comes to in a room. */
export interface MemoryUse {
  readonly memory: Memory;
  /** What the weights take at the peak. */
  readonly bytes: number;
  /** Leaves enough to work in. */
  readonly fits: boolean;
}

/** When half precision is widened in a room; the first of the needs is the usual way. */
const wideningOf = ([usual]: readonly MemoryNeed[], room: number): Widen =>
  usual && usual.bytes > WIDENED * room ? "call" : "once";

/** What each way takes in a room of so many bytes. */
export function memoryUses(all: readonly MemoryNeed[], room: number): MemoryUse[] {
  const widen = wideningOf(all, room);
  return all.map(({ memory, bytes, stored }) => {
    const taken = widen === "once" ? bytes : stored;
    return { memory, bytes: taken, fits: taken <= WEIGHTS * room };
  });
}

/** The way a pair runs unless a request names one. */
export const usualMemory = (pair: Weighed): Memory => (pair.distilled?.adapter ? "shared" : "dual");

/** When the half-precision weights of a pair are widened. */
export const widening = async (pair: Weighed, room: number): Promise<Widen> =>
  wideningOf(await memoryNeeds(pair), room);

/** An order that fits the room, and what had to be changed for it. */
export interface Fitted {
  readonly order: Order;
  readonly why: readonly string[];
}

/**
 * Makes an order fit the pair's room: one model after the other where the weights would not fit together and nobody asked for them to,
 * and no more pictures in a call than there is memory left to work in.
 */
export async function fitted(pair: Pair, order: Order, asked: Memory | undefined): Promise<Fitted> {
  const why: string[] = [];
  const uses = memoryUses(await memoryNeeds(pair), pair.room);
  const sizeOf = (memory: Memory) => uses.find((u) => u.memory === memory)?.bytes ?? 0;
  let { memory } = order;
  const use = uses.find((u) => u.memory === memory);
  if (asked === undefined && memory !== "sequential" && !use?.fits) {
    why.push(
      `the weights take ${inBytes(sizeOf(memory))} together, a run may take ${inBytes(pair.room)}: one model after the other (--memory sequential)`,
    );
    memory = "sequential";
  }
  let batch = Math.min(order.batch, Math.max(1, order.pictures.length));
  if (batch > 1) {
    const each = await bytesPerPicture(pair, order);
    const most = Math.max(1, Math.floor((pair.room - sizeOf(memory)) / each));
    if (most < batch) {
      why.push(`${batch} pictures in one call would take ${inBytes(batch * each)} to work in: ${most} at a time`);
      batch = most;
    }
  }
  return { order: { ...order, memory, batch }, why };
}

/** What a call of the larger UNet works in for each picture; guidance holds every picture twice. */
async function bytesPerPicture(pair: Pair, { width, height, plan }: Order): Promise<number> {
  const shape = { height: height / pair.factor, width: width / pair.factor, tokens: pair.tokens };
  const guided = plan.rows.some((row) => row.kind === "step" && row.guidance > 1) ? 2 : 1;
  const models = [pair.base, ...(pair.distilled ? [pair.distilled] : [])];
  const each = models.map(async ({ unet, weights }) => arenaBytes(drawUNet(unet, await weights(), shape), guided));
  return Math.max(...(await Promise.all(each)));
}

const inBytes = (n: number): string => (n < 1e9 ? `${(n / 1e6).toFixed(0)} MB` : `${(n / 1e9).toFixed(1)} GB`);
