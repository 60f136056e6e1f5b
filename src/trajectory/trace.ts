/**
 * DT-Visualization (Gandikota and Bau 2025, §3): x0 at every step of each model, the step at which a run commits, and the effect of
 * single rows.
 */
import { RequestError } from "../errors.js";
import { type Evaluator, watch } from "../evaluation/index.js";
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
import { agreementCurve } from "./agreement.js";
import {
  commitCurve,
  committed,
  distanceIn,
  type Features,
  meanDistanceIn,
  SPACES,
  type Space,
  spread,
} from "./commit.js";
import { openPreview, reduced } from "./preview.js";
import { type Recording, record } from "./record.js";
import type { TraceRequest } from "./request.js";
import type { CausalRow, InSpaces, Trace, TracedMode } from "./result.js";
import { summarise } from "./summary.js";

/** Images of one seed in one mode. */
export interface TracedImages {
  readonly mode: Mode;
  readonly seed: number;
  readonly x0: readonly RgbImage[];
  readonly xt: readonly RgbImage[];
  readonly final: RgbImage;
}

export type TraceEvent =
  | (GenerateEvent & { readonly mode: Mode; readonly causal?: number })
  | { readonly type: "recorded"; readonly recording: Recording }
  | { readonly type: "preview"; readonly mode: Mode; readonly seed: number; readonly images: number }
  | {
      readonly type: "trace";
      readonly trace: Trace;
      readonly recordings: readonly Recording[];
      readonly images: readonly TracedImages[];
    };

/** Modes of a trace. @throws RequestError for a mode that needs a missing model */
export function modesOf(pair: OpenedPair, { modes }: TraceRequest): readonly Mode[] {
  const asked = modes ?? (pair.distilled ? (["base", "distilled", "hybrid"] as const) : (["base"] as const));
  const missing = pair.distilled ? undefined : asked.find((mode) => mode !== "base");
  if (missing)
    throw new RequestError(`--mode ${missing} needs a distilled model: name one with --distilled, or a --pair`);
  return asked;
}

/** Requests of each mode, and of the causal runs: the distilled model alone, then each single row run by the base. @throws RequestError */
export function requestsOf(
  pair: OpenedPair,
  request: TraceRequest,
): { modes: GenerateRequest[]; causal: GenerateRequest[] } {
  const { prompt, modes: _, fullSteps, watch: phrases = [], preview, taesd, causal, clip, ...rest } = request;
  if (preview === "taesd" && taesd === undefined) {
    throw new RequestError("--preview taesd needs the folder of a TAESD: name it with --taesd");
  }
  if (phrases.some((phrase) => phrase.trim() === "")) {
    throw new RequestError('--watch is empty; expected a phrase, such as --watch "a top hat"', { field: "watch" });
  }
  if (phrases.length > 0 && (clip ?? pair.row?.clip ?? null) === null) {
    throw new RequestError(`--watch ${JSON.stringify(phrases[0])} needs a CLIP: name a CLIPModel folder with --clip`);
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
 * Traces a prompt. The last event holds the measures as plain JSON, the recordings with their latents, and the images.
 * @param kept recordings of an interrupted run of the same trace, which are not repeated
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
  const missing: string[] = [];
  const evaluator = await openEvaluator(pair, request.clip, { onUnavailable: (why) => missing.push(why) });
  for (const why of missing) yield { type: "notice", text: `${why}; distances are measured in pixels`, mode: "base" };
  const seeds = request.seeds ?? [0];

  const recordings: Recording[] = [];
  for (const each of requests.modes) {
    const mode = each.mode ?? "base";
    const found = kept.find((r) => r.mode === mode);
    recordings.push(found ?? (yield* named(mode, record(pair, each, signal))));
    const last = recordings.at(-1);
    if (last && !found) yield { type: "recorded", recording: last };
  }

  const decodeAll = await openPreview(pair);
  const tracks = recordings.flatMap((r) => r.tracks);
  const latents = tracks.map((t) => t.final);
  const decoded = await decodeAll(tracks.flatMap((t) => (t.image ? [] : [t.final])));
  const finals = tracks.flatMap((t) => (t.image ? reduced(t.image) : (decoded.shift() ?? [])));
  const preview = await openPreview(pair, request.preview, {
    taesd: request.taesd,
    finished: { latents, images: finals },
  });
  const images: TracedImages[] = [];
  for (const { mode, tracks } of recordings) {
    for (const { seed, x0, xt } of tracks) {
      signal?.throwIfAborted();
      const shown = { x0: await preview(x0), xt: await preview(xt) };
      const final = finals[images.length];
      if (final) images.push({ mode, seed, ...shown, final });
      yield { type: "preview", mode, seed, images: x0.length + xt.length };
    }
  }

  const features = await Promise.all(recordings.map((r) => featuresOf(r, images, evaluator)));
  const apart = seeds.length > 1 && features[0] ? inSpaces((s) => pairwiseIn(s, features[0]?.finals[s])) : null;
  const phrases = await phraseFeatures(evaluator, request.watch ?? []);
  const similarity = phrases.map(({ text }) =>
    features.map((f) =>
      (f.steps.perceptual ?? []).map((steps) => steps.map((x) => 1 - distanceIn.perceptual(x, text))),
    ),
  );
  const agreements: TracedMode["agreement"][] = [];
  for (const { mode } of recordings) {
    const own = images.filter((i) => i.mode === mode).map((i) => i.x0);
    agreements.push(evaluator?.classifier ? await agreementCurve(evaluator.classifier, request.prompt, own) : null);
  }
  const modes = recordings.map((r, m): TracedMode => {
    const { steps, finals: ends } = features[m] ?? { steps: NO_FEATURES, finals: NO_FEATURES };
    const commit = inSpaces((s) => both(steps[s], ends[s], (a, b) => commitCurve(s, a, b)));
    const timesteps = r.steps.map((s) => s.timestep);
    return {
      mode: r.mode,
      steps: r.steps,
      commit,
      spread: seeds.length > 1 ? inSpaces((s) => steps[s] && spread(s, steps[s])) : null,
      agreement: agreements[m] ?? null,
      committed: apart && inSpaces((s) => both(commit[s], apart[s], (c, unit) => committed(c, seeds, timesteps, unit))),
      watched: phrases.map(({ phrase }, p) =>
        watch(phrase, seeds, similarity[p]?.[m] ?? [], similarity[p]?.flat(2) ?? []),
      ),
    };
  });
  const causal = requests.causal.length > 0 ? yield* replaceRows(pair, requests.causal, evaluator, signal) : null;
  const measures: Trace = {
    prompt: request.prompt,
    seeds,
    size: request.size ?? pair.size,
    preview: request.preview ?? "vae",
    apart,
    modes,
    causal,
    summary: summarise({ modes, causal, apart }),
  };
  yield { type: "trace", trace: measures, recordings, images };
}

/** Adds the mode to the events of a run. */
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

// ── features ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Features of x0 [seeds][steps] and of the final images [seeds], in every space. */
interface RunFeatures {
  readonly steps: { readonly [S in Space]: readonly (readonly Features[])[] | null };
  readonly finals: { readonly [S in Space]: readonly Features[] | null };
}

const NO_FEATURES = { latent: null, pixel: null, perceptual: null } as const;

/** Computes a value in every space. Null is allowed for perceptual only. */
function inSpaces<T>(of: (space: Space) => T | null): InSpaces<T> {
  const [latent, pixel, perceptual] = SPACES.map(of);
  if (latent == null || pixel == null) throw new RangeError("a recording without latents or images cannot be compared");
  return { latent, pixel, perceptual: perceptual ?? null };
}

const both = <A, B, T>(a: A | null, b: B | null, of: (a: A, b: B) => T): T | null =>
  a === null || b === null ? null : of(a, b);

const pairwiseIn = (space: Space, features: readonly Features[] | null | undefined): number | null =>
  features ? meanDistanceIn(space, features) : null;

/** Pixels as 0…1. */
const pixels = (image: RgbImage): Features => Float32Array.from(image.data, (v) => v / 255);

async function featuresOf(
  { mode, tracks }: Recording,
  images: readonly TracedImages[],
  evaluator: Evaluator | null,
): Promise<RunFeatures> {
  const own = tracks.flatMap((t) => images.find((i) => i.mode === mode && i.seed === t.seed) ?? []);
  const steps: Features[][] = [];
  if (evaluator) for (const { x0 } of own) steps.push(await evaluator.clip.images(x0));
  return {
    steps: {
      latent: tracks.map((t) => t.x0.map((x) => x.data)),
      pixel: own.map(({ x0 }) => x0.map(pixels)),
      perceptual: evaluator ? steps : null,
    },
    finals: {
      latent: tracks.map((t) => t.final.data),
      // The last x0 is the final image, by the same preview as the other steps.
      pixel: own.map(({ x0, final }) => pixels(x0.at(-1) ?? final)),
      perceptual: evaluator ? steps.flatMap((s) => s.at(-1) ?? []) : null,
    },
  };
}

async function phraseFeatures(evaluator: Evaluator | null, phrases: readonly string[]) {
  const found: { phrase: string; text: Float32Array }[] = [];
  if (evaluator) for (const phrase of phrases) found.push({ phrase, text: await evaluator.clip.text(phrase) });
  return found;
}

/** Generates with the distilled model alone, then with each single row run by the base, and measures the effect. */
async function* replaceRows(
  pair: OpenedPair,
  requests: readonly GenerateRequest[],
  evaluator: Evaluator | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<TraceEvent, CausalRow[], undefined> {
  const rows: CausalRow[] = [];
  let alone: RunFeatures["finals"] | undefined;
  for (const request of requests) {
    const row = Array.isArray(request.switch) ? (request.switch[0] as number) : null;
    const latent: Features[] = [];
    const images: RgbImage[] = [];
    for await (const event of generate(pair, request, signal)) {
      yield { ...event, mode: request.mode ?? "hybrid", causal: row ?? -1 };
      if (event.type !== "image") continue;
      latent.push(event.latents.data);
      images.push(reduced(event.image));
    }
    const finals = {
      latent,
      pixel: images.map(pixels),
      perceptual: evaluator ? await evaluator.clip.images(images) : null,
    };
    alone ??= finals;
    const from = alone;
    const step = row === null ? undefined : planFor(pair, request).rows[row];
    rows.push({
      row,
      timestep: step?.kind === "step" ? step.timestep : null,
      diversity: latent.length > 1 ? inSpaces((s) => pairwiseIn(s, finals[s])) : null,
      change: inSpaces((s) => both(finals[s], from[s], (a, b) => mean(a.map((x, i) => distanceIn[s](x, b[i] ?? x))))),
    });
  }
  return rows;
}
