import { RequestError } from "../errors.js";
import { openScorer } from "../evaluation/index.js";
import { type GenerateEvent, type GenerateRequest, generate, requestForMode } from "../generate/index.js";
import { cosineDistance, type Estimate, meanEstimate } from "../metrics/index.js";
import type { OpenedPair } from "../open/index.js";
import type { Mode } from "../sampling/index.js";
import type { RgbImage } from "../tensor/index.js";
import type { SlideRequest } from "./request.js";

/** What one scale does in one mode; null where there is no CLIP, or no concept. */
export interface SlideStop {
  readonly scale: number;
  /** Cosine of picture and concept. */
  readonly similarity: Estimate | null;
  /** Similarity to the concept against scale 0, in percent of it (the paper's Table 1). */
  readonly change: Estimate | null;
  /** Distance of CLIP features to the picture at scale 0: how much changed in all. */
  readonly distance: Estimate | null;
  /** Numbers that the pair's judge reads off the pictures, such as how much a face smiles; none without a judge. */
  readonly readings: Readonly<Record<string, Estimate>>;
}

export interface SlideRow {
  readonly mode: Mode;
  readonly stops: readonly SlideStop[];
}

export interface SlideStrip {
  readonly mode: Mode;
  readonly seed: number;
  /** One for each scale. */
  readonly images: readonly RgbImage[];
}

/** Plain JSON: what was measured. */
export interface Slide {
  readonly prompt: string;
  readonly concept: string | null;
  readonly slider: string;
  readonly scales: readonly number[];
  readonly seeds: readonly number[];
  readonly rows: readonly SlideRow[];
}

export type SlideEvent =
  | (GenerateEvent & { readonly mode: Mode })
  | { readonly type: "slide"; readonly slide: Slide; readonly strips: readonly SlideStrip[] };

/** What is generated for each mode: a prompt for every scale, so that a batch holds a whole strip. */
export function slideRequests(pair: OpenedPair, request: SlideRequest): GenerateRequest[] {
  const {
    prompt,
    slider,
    scales,
    modes,
    concept: _concept,
    clip: _clip,
    adapters = [],
    allowUnmatched,
    ...rest
  } = request;
  if (scales.length === 0) throw new RequestError("no scale was given");
  const asked = modes ?? (pair.distilled ? (["base", "distilled", "hybrid"] as const) : (["base"] as const));
  const samples = scales.map((scale, prompt) => ({ prompt, scale }));
  const use = { ref: slider, scale: { samples }, ...(allowUnmatched && { allowUnmatched }) };
  return asked.map((mode) =>
    requestForMode(mode, { ...rest, prompts: scales.map(() => prompt), adapters: [...adapters, use] }),
  );
}

/** Runs every mode over every seed and scale. The last event holds numbers and pictures. @throws RequestError before anything is loaded */
export async function* slide(
  pair: OpenedPair,
  request: SlideRequest,
  signal?: AbortSignal,
): AsyncGenerator<SlideEvent, void, undefined> {
  const requests = slideRequests(pair, request);
  const { prompt, scales, seeds = [0], concept, clip, slider } = request;
  if (concept !== undefined && (clip ?? pair.row?.clip ?? null) === null) {
    throw new RequestError("--concept needs a CLIP to look with: name a CLIPModel folder with --clip");
  }
  const scorer = await openScorer(pair, clip);
  const words = scorer && concept !== undefined ? await scorer.textFeatures(concept) : null;
  const strips: SlideStrip[] = [];
  const rows: SlideRow[] = [];
  for (const each of requests) {
    const mode = each.mode ?? "base";
    const images = new Map<string, RgbImage>();
    for await (const event of generate(pair, each, signal)) {
      yield { ...event, mode };
      if (event.type === "image") images.set(`${event.prompt}-${event.seed}`, event.image);
    }
    const own = seeds.map((seed): SlideStrip => {
      const found = scales.flatMap((_, i) => images.get(`${i}-${seed}`) ?? []);
      return { mode, seed, images: found };
    });
    strips.push(...own);
    // Of each, [seed][scale].
    const reading =
      scorer &&
      (await scorer.read(
        own.map((s) => s.images),
        own.map(() => prompt),
      ));
    rows.push({ mode, stops: measure(scales, reading?.features ?? [], reading?.factors?.measured ?? [], words) });
  }
  yield {
    type: "slide",
    slide: { prompt, concept: concept ?? null, slider, scales, seeds, rows },
    strips,
  };
}

function measure(
  scales: readonly number[],
  features: readonly (readonly Float32Array[])[],
  measured: readonly (readonly Readonly<Record<string, number>>[])[],
  words: Float32Array | null,
): SlideStop[] {
  const zero = scales.indexOf(0);
  const over = (of: (strip: readonly Float32Array[]) => number): Estimate | null =>
    features.length === 0 ? null : meanEstimate(features.map((strip) => [of(strip)]));
  const likeness = (x: Float32Array | undefined) => (words && x ? 1 - cosineDistance(x, words) : 0);
  const names = Object.keys(measured[0]?.[0] ?? {});
  return scales.map((scale, i) => ({
    scale,
    readings: Object.fromEntries(
      names.map((name) => [name, meanEstimate(measured.map((strip) => [strip[i]?.[name] ?? Number.NaN]))]),
    ),
    similarity: words && over((strip) => likeness(strip[i])),
    change: words && zero >= 0 ? over((strip) => 100 * (likeness(strip[i]) / likeness(strip[zero]) - 1)) : null,
    distance:
      zero >= 0
        ? over((strip) => {
            const [here, there] = [strip[i], strip[zero]];
            return here && there && i !== zero ? cosineDistance(here, there) : 0;
          })
        : null,
  }));
}
