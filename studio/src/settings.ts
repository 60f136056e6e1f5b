/** What the controls of the page are set to, and the request that it makes. Pure; independent of the page and of the server. */
import type { AdapterTarget, Request, RequestAdapter } from "./backend.js";

/** An adapter with its control. */
export interface AdapterSetting {
  readonly ref: string;
  readonly scale: number;
  readonly on: AdapterTarget;
  /** Seed of the only image that the adapter applies to; null for all. */
  readonly only: number | null;
  /** Scale of another form in a record, such as one by rows; it is kept until the control is moved. */
  readonly given: NonNullable<RequestAdapter["scale"]> | null;
}

export type Handoff = NonNullable<Request["handoff"]>;

export interface Settings {
  readonly prompt: string;
  readonly negative: string | null;
  readonly seeds: readonly number[];
  /** Rows run by the base, their numbers, a noise level near which it ends, or the calibrated setting of the pair. */
  readonly switch: number | readonly number[] | "auto" | { readonly sigma: number };
  /** The base alone, on its own schedule. */
  readonly baseAlone: boolean;
  /** Steps of the base's own schedule that replace the first rows; null for the same rows. */
  readonly baseSteps: number | null;
  /** null: the pair's. */
  readonly baseGuidance: number | null;
  readonly guidance: number | null;
  readonly handoff: Handoff | null;
  readonly adapters: readonly AdapterSetting[];
  /** Fields of a record that have no control. They are kept as they are. */
  readonly rest: Omit<Request, "prompts">;
}

export const FIRST: Settings = {
  prompt: "",
  negative: null,
  seeds: [0, 1, 2, 3, 4, 5, 6, 7],
  switch: 1,
  baseAlone: false,
  baseSteps: null,
  baseGuidance: null,
  guidance: null,
  handoff: null,
  adapters: [],
  rest: {},
};

/** Most images of a grid. */
export const MOST_SEEDS = 64;

/** So many seeds: the first of these, and new ones after the largest. */
export function seedsFor(count: number, seeds: readonly number[]): number[] {
  const kept = seeds.slice(0, count);
  const next = Math.max(-1, ...seeds) + 1;
  return [...kept, ...Array.from({ length: count - kept.length }, (_, i) => next + i)];
}

/** Number of rows run by the base; null where the server decides it. */
export const rowsByBase = (k: Settings["switch"]): number | null =>
  typeof k === "number" ? k : k === "auto" || "sigma" in k ? null : k.length;

function adapterRequest({ ref, scale, on, only, given }: AdapterSetting, seeds: readonly number[]): RequestAdapter {
  if (given !== null) return { ref, scale: given, on };
  if (only === null) return { ref, scale, on };
  // Samples without an entry have factor 1.
  const samples = seeds.map((seed) => ({ prompt: 0, seed, scale: seed === only ? 1 : 0 }));
  return { ref, on, scale: { whole: scale, blocks: {}, rows: [], samples } };
}

/** Scales of a strip. */
export const STRIP = [-2, -1, -0.5, 0, 0.5, 1, 2] as const;

/** One image along the scale of an adapter: a sample for each scale, which one batch can hold. */
export function stripOf(settings: Settings, ref: string, seed: number): Request {
  const { adapters, ...rest } = settings;
  const along = STRIP.map((scale, prompt) => ({ prompt, seed, scale }));
  const request = requestOf({ ...rest, seeds: [seed], adapters: [] });
  return {
    ...request,
    prompts: STRIP.map(() => settings.prompt),
    samples: along.map(({ prompt }) => ({ prompt, seed })),
    adapters: adapters
      .filter(({ only }) => only === null || only === seed)
      .map((adapter) =>
        adapter.ref === ref
          ? { ref, on: adapter.on, scale: { whole: 1, blocks: {}, rows: [], samples: along } }
          : adapterRequest({ ...adapter, only: null }, [seed]),
      ),
  };
}

/** Fields that the base alone does not read. */
const FEW_STEP = ["steps", "timesteps", "scheduler", "sigmas", "spacing", "prediction", "eta", "skip", "diversity"];

/** The request of these settings. */
export function requestOf(settings: Settings): Request {
  const { prompt, negative, seeds, baseAlone, baseSteps, baseGuidance, guidance, handoff, adapters, rest } = settings;
  const k = rowsByBase(settings.switch);
  const mode = baseAlone ? "base" : k === 0 ? "distilled" : "hybrid";
  const kept = baseAlone ? Object.fromEntries(Object.entries(rest).filter(([name]) => !FEW_STEP.includes(name))) : rest;
  const isRatio = baseSteps !== null && k !== null;
  return {
    ...kept,
    prompts: [prompt],
    seeds: [...seeds],
    mode,
    ...(negative !== null && { negative }),
    ...(guidance !== null && !baseAlone && { guidance }),
    ...(mode === "hybrid" && {
      ...(isRatio ? { ratio: { base: baseSteps, distilled: k } } : { switch: copied(settings.switch) }),
      ...(baseGuidance !== null && { baseGuidance }),
      ...(handoff !== null && !isRatio && k !== null && { handoff }),
    }),
    ...(baseAlone && baseGuidance !== null && { guidance: baseGuidance }),
    ...(adapters.length > 0 && { adapters: adapters.map((adapter) => adapterRequest(adapter, seeds)) }),
  };
}

const copied = (k: Settings["switch"]): number | number[] | "auto" | { sigma: number } =>
  typeof k !== "object" || "sigma" in k ? k : [...k];

/** The control of an adapter in a request. */
function adapterSetting({ ref, scale = 1, on = "both" }: RequestAdapter): AdapterSetting {
  const plain = { ref, on, only: null, given: null };
  if (typeof scale === "number") return { ...plain, scale };
  if (typeof scale === "object") {
    const { whole = 1, rows = [], blocks = {}, samples = [] } = scale;
    const named = samples.filter((sample) => sample.scale !== 0);
    const [only] = named;
    if (rows.length === 0 && Object.keys(blocks).length === 0) {
      if (samples.length === 0) return { ...plain, scale: whole };
      if (only?.seed !== undefined && named.length === 1 && only.scale === 1) {
        return { ...plain, scale: whole, only: only.seed };
      }
    }
  }
  return { ...plain, scale: 1, given: scale };
}

/** The settings that make this request. */
export function settingsOf(request: Request): Settings {
  const {
    prompts,
    seeds,
    mode,
    switch: k,
    ratio,
    baseGuidance,
    guidance,
    handoff,
    negative,
    adapters,
    ...rest
  } = request;
  const { samples: _samples, batch: _batch, ...others } = rest;
  const baseAlone = mode === "base";
  return {
    prompt: prompts[0] ?? "",
    negative: negative ?? null,
    seeds: seeds ?? [0],
    switch: mode === "distilled" ? 0 : (ratio?.distilled ?? k ?? 1),
    baseAlone,
    baseSteps: ratio?.base ?? null,
    baseGuidance: baseAlone ? (guidance ?? null) : (baseGuidance ?? null),
    guidance: baseAlone ? null : (guidance ?? null),
    handoff: handoff ?? null,
    adapters: (adapters ?? []).map(adapterSetting),
    rest: others,
  };
}
