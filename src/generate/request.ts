/** What a caller asks of a run, checked before anything is loaded. */
import { RequestError } from "../errors.js";
import type { Pair } from "../open/index.js";
import type { Mode, Plan } from "../sampling/index.js";
import { type AdapterUse, isOff } from "./adapters.js";
import type { Picture } from "./events.js";
import { type Memory, usualMemory } from "./memory.js";
import { planFor, type SamplingRequest } from "./planning.js";

export interface GenerateRequest extends SamplingRequest {
  readonly prompts: readonly string[];
  readonly negative?: string;
  /** One picture for each prompt and seed; default [0]. */
  readonly seeds?: readonly number[];
  /** Text encoder layers left out, 0 and up. */
  readonly clipSkip?: number;
  /** Pixels; default: what the model was made for. */
  readonly size?: { readonly width: number; readonly height: number };
  /** Pictures in one model call; default: as many as suit the size, at most 16. */
  readonly batch?: number;
  /** LoRAs and sliders, beside those of the pair. */
  readonly adapters?: readonly AdapterUse[];
  /** Whether both models stay loaded; default "shared" where the distilled model is a LoRA, else "dual"; "sequential" where that does not fit. */
  readonly memory?: Memory;
  /** Latents on the longer side of a tile that is decoded at a time; "off": the whole picture. Default: tiles where the memory asks for them. */
  readonly tile?: number | "off";
  /** Paints only the pictures for which this is true; default: all. */
  readonly only?: (picture: Picture) => boolean;
}

/** A request with every default filled in. */
export interface Order {
  readonly plan: Plan;
  readonly pictures: readonly Picture[];
  readonly prompts: readonly string[];
  readonly negative: string | null;
  readonly clipSkip: number;
  readonly width: number;
  readonly height: number;
  readonly batch: number;
  readonly memory: Memory;
  readonly tile: number | "off" | undefined;
  readonly adapters: readonly AdapterUse[];
}

/** Latent pixels that one model call takes comfortably; a picture of 1024 × 1024 is one of them. */
const LATENTS_PER_CALL = 128 * 128;

/** Latents: below that a tile is mostly the ring around it. */
const SMALLEST_TILE = 4;

/** Checks a request against the pair. @throws RequestError saying what was asked and what is possible */
export function orderFor(pair: Pair, request: GenerateRequest): Order {
  const { prompts, seeds = [0], clipSkip = 0 } = request;
  if (prompts.length === 0) throw new RequestError("no prompt was given");
  if (seeds.length === 0) throw new RequestError("no seed was given");
  for (const seed of seeds) {
    if (!Number.isSafeInteger(seed) || seed < 0) throw new RequestError(`seed ${seed} is not a whole number, 0 and up`);
  }
  const size = request.size ?? pair.size;
  for (const [name, value] of Object.entries(size)) {
    if (!Number.isInteger(value) || value < pair.factor || value % pair.factor !== 0) {
      const near = Math.max(pair.factor, Math.round(value / pair.factor) * pair.factor);
      throw new RequestError(
        `${name} ${value} is not a multiple of ${pair.factor}, the pixels of one latent; the nearest is ${near}`,
      );
    }
  }
  const layers = Math.min(...pair.textLayers);
  if (!Number.isInteger(clipSkip) || clipSkip < 0 || clipSkip >= layers - 1) {
    throw new RequestError(`clip skip ${clipSkip}: the text encoder has ${layers} layers; expected 0 to ${layers - 2}`);
  }
  const latents = (size.width / pair.factor) * (size.height / pair.factor);
  const batch = request.batch ?? Math.max(1, Math.min(16, Math.floor(LATENTS_PER_CALL / latents)));
  if (!Number.isInteger(batch) || batch < 1) throw new RequestError(`batch ${batch} is not a whole number, 1 and up`);
  const lora = pair.distilled?.adapter ?? null;
  const memory = request.memory ?? usualMemory(pair);
  if (memory === "shared" && !lora) {
    throw new RequestError(
      "--memory shared keeps one set of weights: the distilled model must be a LoRA on the base; take --memory dual or sequential",
    );
  }
  const { tile } = request;
  if (tile !== undefined && tile !== "off" && (!Number.isInteger(tile) || tile < SMALLEST_TILE)) {
    throw new RequestError(`tile ${tile} is not a whole number of latents, ${SMALLEST_TILE} and up`);
  }
  return {
    plan: planFor(pair, request),
    pictures: prompts
      .flatMap((_, prompt) => seeds.map((seed) => ({ prompt, seed })))
      .filter(request.only ?? (() => true)),
    prompts,
    negative: request.negative ?? null,
    clipSkip,
    ...size,
    batch,
    memory,
    tile,
    adapters: [...pair.adapters, ...(request.adapters ?? [])].filter((use) => !isOff(use)),
  };
}

/** The same pictures in another mode: the base alone takes its own defaults, what was asked of the grid is for the distilled model and the hybrid. */
export function requestForMode(mode: Mode, given: GenerateRequest): GenerateRequest {
  if (mode !== "base") return { ...given, mode };
  const { prompts, negative, seeds, clipSkip, size, batch, memory, tile, adapters, guidanceRescale } = given;
  return {
    mode,
    prompts,
    ...(negative !== undefined && { negative }),
    ...(seeds && { seeds }),
    ...(clipSkip !== undefined && { clipSkip }),
    ...(size && { size }),
    ...(batch !== undefined && { batch }),
    ...(memory && { memory }),
    ...(tile !== undefined && { tile }),
    ...(adapters && { adapters }),
    ...(guidanceRescale !== undefined && { guidanceRescale }),
  };
}
