/**
 * DT-Visualization (Gandikota and Bau 2025, §3): what every step of each model takes the picture to become, when a run has
 * decided, and which model's step decided what.
 */
import { RequestError } from "../errors.js";
import type { Evaluator } from "../evaluation/index.js";
import {
  checkRequest,
  type GenerateEvent,
  type GenerateRequest,
  generate,
  planFor,
  requestForMode,
} from "../generate/index.js";
import { mean } from "../metrics/index.js";
import { type OpenedPair, openEvaluator } from "../open/index.js";
import type { Mode } from "../sampling/index.js";
import type { RgbImage } from "../tensor/index.js";
import {
  type CommitCurve,
  type Committed,
  commitCurve,
  committed,
  distanceIn,
  type Look,
  meanDistanceIn,
  SPACES,
  type Space,
  spread,
} from "./commit.js";
import { openPreview, type PreviewKind, reduced } from "./preview.js";
import { type RecordedStep, type Recording, record } from "./record.js";
import type { TraceRequest } from "./request.js";
import { type Watched, watch } from "./watch.js";

/** One number for each space; perceptual is null where there is no CLIP to look with. */
type InSpaces<T> = { readonly latent: T; readonly pixel: T; readonly perceptual: T | null };

export interface TracedMode {
  readonly mode: Mode;
  readonly steps: readonly RecordedStep[];
  readonly commit: InSpaces<CommitCurve>;
  /** Mean distance between seeds at each step; null with one seed. */
  readonly spread: InSpaces<readonly number[]> | null;
  /** When each seed has committed; null with one seed, which has no others to be told from. */
  readonly committed: InSpaces<readonly Committed[]> | null;
  readonly watched: readonly Watched[];
}

/** Effect of giving one row of the distilled schedule to the base. */
export interface CausalRow {
  /** null: the distilled model alone. */
  readonly row: number | null;
  readonly timestep: number | null;
  /** Mean distance between the final pictures of different seeds; null with one seed. */
  readonly diversity: InSpaces<number> | null;
  /** Mean distance of the final picture from the distilled model's own for the same seed. */
  readonly change: InSpaces<number>;
}

/** Plain JSON: everything that was measured. */
export interface Trace {
  readonly prompt: string;
  readonly seeds: readonly number[];
  readonly size: { readonly width: number; readonly height: number };
  readonly preview: PreviewKind;
  /** Mean distance between final pictures of different seeds (the first mode's): the unit of having committed. */
  readonly apart: InSpaces<number> | null;
  readonly modes: readonly TracedMode[];
  readonly causal: readonly CausalRow[] | null;
}

/** The pictures of one seed in one mode. */
export interface TracedPictures {
  readonly mode: Mode;
  readonly seed: number;
  readonly x0: readonly RgbImage[];
  readonly xt: readonly RgbImage[];
  readonly final: RgbImage;
}

export type TraceEvent =
  | (GenerateEvent & { readonly mode: Mode; readonly causal?: number })
  | { readonly type: "recorded"; readonly recording: Recording }
  | { readonly type: "preview"; readonly mode: Mode; readonly seed: number; readonly pictures: number }
  | {
      readonly type: "trace";
      readonly trace: Trace;
      readonly recordings: readonly Recording[];
      readonly pictures: readonly TracedPictures[];
    };

/** The modes of a trace. @throws RequestError when one needs a model that is not there */
export function modesOf(pair: OpenedPair, { modes }: TraceRequest): readonly Mode[] {
  const asked = modes ?? (pair.distilled ? (["base", "distilled", "hybrid"] as const) : (["base"] as const));
  const missing = pair.distilled ? undefined : asked.find((mode) => mode !== "base");
  if (missing)
    throw new RequestError(`--mode ${missing} needs a distilled model: name one with --distilled, or a --pair`);
  return asked;
}

/** What is generated for each mode, and for each row given to the base. Checks the request. @throws RequestError */
export function requestsOf(
  pair: OpenedPair,
  request: TraceRequest,
): { modes: GenerateRequest[]; causal: GenerateRequest[] } {
  const { prompt, modes: _, fullSteps, watch: phrases = [], preview, taesd, causal, clip, ...rest } = request;
  if (preview === "taesd" && taesd === undefined) {
    throw new RequestError("--preview taesd needs the folder of a TAESD: name it with --taesd");
  }
  if (phrases.length > 0 && (clip ?? pair.row?.clip ?? null) === null) {
    throw new RequestError(
      `--watch ${JSON.stringify(phrases[0])} needs a CLIP to look with: name a CLIPModel folder with --clip`,
    );
  }
  const given = { ...rest, prompts: [prompt] };
  const modes = modesOf(pair, request).map((mode) => {
    const own = requestForMode(mode, given);
    return mode === "base" && fullSteps !== undefined ? { ...own, steps: fullSteps } : own;
  });
  if (!pair.distilled || causal === false) return { modes, causal: [] };
  const { baseSteps: _steps, baseScheduler: _scheduler, baseSpacing: _spacing, ratio: _ratio, ...shared } = given;
  const alone: GenerateRequest = { ...shared, mode: "distilled" };
  const replaced = planFor(pair, alone).rows.map(
    (_, i): GenerateRequest => ({ ...shared, mode: "hybrid", switch: [i] }),
  );
  return { modes, causal: [alone, ...replaced] };
}

/**
 * Traces a prompt. Recordings that are there already, of an earlier part of the same trace, are not made again.
 * The last event holds the trace: its numbers as plain JSON, its latents, its pictures.
 * @throws RequestError before anything is loaded
 */
export async function* trace(
  pair: OpenedPair,
  request: TraceRequest,
  kept: readonly Recording[] = [],
  signal?: AbortSignal,
): AsyncGenerator<TraceEvent, void, undefined> {
  const requests = requestsOf(pair, request);
  for (const each of [...requests.modes, ...requests.causal]) checkRequest(pair, each);
  const evaluator = await openEvaluator(pair, request.clip);
  const seeds = request.seeds ?? [0];

  const recordings: Recording[] = [];
  for (const each of requests.modes) {
    const mode = each.mode ?? "base";
    const found = kept.find((r) => r.mode === mode);
    recordings.push(found ?? (yield* named(mode, record(pair, each, signal))));
    const last = recordings.at(-1);
    if (last && !found) yield { type: "recorded", recording: last };
  }

  const whole = await openPreview(pair, "vae", undefined, { latents: [], images: [] });
  const tracks = recordings.flatMap((r) => r.tracks);
  const latents = tracks.map((t) => t.final);
  const decoded = await whole(tracks.flatMap((t) => (t.image ? [] : [t.final])));
  const finals = tracks.flatMap((t) => (t.image ? reduced(t.image) : (decoded.shift() ?? [])));
  const preview = await openPreview(pair, request.preview ?? "vae", request.taesd, { latents, images: finals });
  const pictures: TracedPictures[] = [];
  for (const { mode, tracks } of recordings) {
    for (const { seed, x0, xt } of tracks) {
      signal?.throwIfAborted();
      const shown = { x0: await preview(x0), xt: await preview(xt) };
      const final = finals[pictures.length];
      if (final) pictures.push({ mode, seed, ...shown, final });
      yield { type: "preview", mode, seed, pictures: x0.length + xt.length };
    }
  }

  const looked = await Promise.all(recordings.map((r) => lookAt(r, pictures, evaluator)));
  const apart = seeds.length > 1 && looked[0] ? inSpaces((s) => pairwiseIn(s, looked[0]?.finals[s])) : null;
  const words = await phraseFeatures(evaluator, request.watch ?? []);
  const likeness = words.map(({ features }) =>
    looked.map((l) =>
      (l.steps.perceptual ?? []).map((steps) => steps.map((x) => 1 - distanceIn.perceptual(x, features))),
    ),
  );
  const modes = recordings.map((r, m): TracedMode => {
    const { steps, finals: ends } = looked[m] ?? { steps: NOTHING, finals: NOTHING };
    const commit = inSpaces((s) => both(steps[s], ends[s], (a, b) => commitCurve(s, a, b)));
    const timesteps = r.steps.map((s) => s.timestep);
    return {
      mode: r.mode,
      steps: r.steps,
      commit,
      spread: seeds.length > 1 ? inSpaces((s) => steps[s] && spread(s, steps[s])) : null,
      committed: apart && inSpaces((s) => both(commit[s], apart[s], (c, unit) => committed(c, seeds, timesteps, unit))),
      watched: words.map(({ phrase }, w) => watch(phrase, seeds, likeness[w]?.[m] ?? [], likeness[w]?.flat(2) ?? [])),
    };
  });
  const causal = requests.causal.length > 0 ? yield* replaceRows(pair, requests.causal, evaluator, signal) : null;
  const numbers: Trace = {
    prompt: request.prompt,
    seeds,
    size: request.size ?? pair.size,
    preview: request.preview ?? "vae",
    apart,
    modes,
    causal,
  };
  yield { type: "trace", trace: numbers, recordings, pictures };
}

/** Events of a run under the name of its mode. */
async function* named(
  mode: Mode,
  run: AsyncGenerator<GenerateEvent, Recording, undefined>,
): AsyncGenerator<TraceEvent, Recording, undefined> {
  for (;;) {
    const next = await run.next();
    if (next.done) return next.value;
    yield { ...next.value, mode };
  }
}

// ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** In every space: a look for each seed and step, and one for each final picture. */
interface Looks {
  readonly steps: { readonly [S in Space]: readonly (readonly Look[])[] | null };
  readonly finals: { readonly [S in Space]: readonly Look[] | null };
}

const NOTHING = { latent: null, pixel: null, perceptual: null } as const;

/** latent and pixel are always there; perceptual only where it was looked at. */
function inSpaces<T>(of: (space: Space) => T | null): InSpaces<T> {
  const [latent, pixel, perceptual] = SPACES.map(of);
  if (latent == null || pixel == null) throw new RangeError("a run without latents or pictures cannot be compared");
  return { latent, pixel, perceptual: perceptual ?? null };
}

const both = <A, B, T>(a: A | null, b: B | null, of: (a: A, b: B) => T): T | null =>
  a === null || b === null ? null : of(a, b);

const pairwiseIn = (space: Space, looks: readonly Look[] | null | undefined): number | null =>
  looks ? meanDistanceIn(space, looks) : null;

/** Pixels as 0…1. */
const bytes = (image: RgbImage): Look => Float32Array.from(image.data, (v) => v / 255);

async function lookAt(
  { mode, tracks }: Recording,
  pictures: readonly TracedPictures[],
  evaluator: Evaluator | null,
): Promise<Looks> {
  const shown = tracks.flatMap((t) => pictures.find((p) => p.mode === mode && p.seed === t.seed) ?? []);
  const steps: Look[][] = [];
  if (evaluator) for (const p of shown) steps.push(await evaluator.clip.images(p.x0));
  return {
    steps: {
      latent: tracks.map((t) => t.x0.map((x) => x.data)),
      pixel: shown.map((p) => p.x0.map(bytes)),
      perceptual: evaluator ? steps : null,
    },
    finals: {
      latent: tracks.map((t) => t.final.data),
      // Against the end as the preview shows it: the last x0 is the end.
      pixel: shown.map((p) => bytes(p.x0.at(-1) ?? p.final)),
      perceptual: evaluator ? steps.flatMap((s) => s.at(-1) ?? []) : null,
    },
  };
}

async function phraseFeatures(evaluator: Evaluator | null, phrases: readonly string[]) {
  const found: { phrase: string; features: Float32Array }[] = [];
  if (evaluator) for (const phrase of phrases) found.push({ phrase, features: await evaluator.clip.text(phrase) });
  return found;
}

/** The distilled model alone, then with each single row given to the base: the paper's claim as an experiment. */
async function* replaceRows(
  pair: OpenedPair,
  requests: readonly GenerateRequest[],
  evaluator: Evaluator | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<TraceEvent, CausalRow[], undefined> {
  const rows: CausalRow[] = [];
  let alone: Looks["finals"] | undefined;
  for (const request of requests) {
    const row = Array.isArray(request.switch) ? (request.switch[0] as number) : null;
    const latent: Look[] = [];
    const images: RgbImage[] = [];
    for await (const event of generate(pair, request, signal)) {
      yield { ...event, mode: request.mode ?? "hybrid", causal: row ?? -1 };
      if (event.type !== "image") continue;
      latent.push(event.latents.data);
      images.push(reduced(event.image));
    }
    const finals = {
      latent,
      pixel: images.map(bytes),
      perceptual: evaluator ? await evaluator.clip.images(images) : null,
    };
    alone ??= finals;
    const from = alone;
    const step = row === null ? undefined : planFor(pair, request).rows[row];
    rows.push({
      row,
      timestep: step?.kind === "step" ? step.timestep : null,
      diversity: latent.length > 1 ? inSpaces((s) => pairwiseIn(s, finals[s])) : null,
      change: inSpaces((s) =>
        both(finals[s], from[s], (a, b) => mean(a.map((look, i) => distanceIn[s](look, b[i] ?? look)))),
      ),
    });
  }
  return rows;
}
