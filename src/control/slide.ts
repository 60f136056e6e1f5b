/**
 * Runs one prompt at every scale of an adapter in each mode, and measures the effect on the concept and on the whole image: an adapter
 * trained on one model applied to the other (control distillation: Gandikota and Bau 2025, §4).
 */
import { RequestError } from "../errors.js";
import { clipScore, clipScoreChange, evaluate, pixelDistance, type Reading } from "../evaluation/index.js";
import {
  type GenerateEvent,
  type GenerateRequest,
  generate,
  planFor,
  requestForMode,
  type SampleKey,
} from "../generate/index.js";
import { cosineDistance, type Estimate, meanEstimate } from "../metrics/index.js";
import { anyClip, type OpenedPair, openEvaluator } from "../open/index.js";
import { type Mode, madeAgain } from "../sampling/index.js";
import type { RgbImage } from "../tensor/index.js";
import type { SlideRequest } from "./request.js";

/** Effect of one scale in one mode, over seeds. Measures by CLIP are null without a CLIP, a concept, or scale 0. */
export interface SlideStop {
  readonly scale: number;
  /** CLIP score of image and concept. */
  readonly clipScore: Estimate | null;
  /** Change of the CLIP score relative to scale 0, in percent (the paper's Table 1); also null if the score at scale 0 is too low. */
  readonly change: Estimate | null;
  /** CLIP distance to the image of the same seed at scale 0: total change. */
  readonly distance: Estimate | null;
  /** Root mean square difference of pixels, 0…1, to the image of the same seed at the scale `reference`; needs no CLIP. */
  readonly pixels: Estimate;
  /** Numeric predictions of the pair's classifier, such as the strength of a smile; empty without a classifier. */
  readonly readings: Readonly<Record<string, Estimate>>;
}

export interface SlideRow {
  readonly mode: Mode;
  readonly stops: readonly SlideStop[];
}

export interface SlideStrip {
  readonly mode: Mode;
  readonly seed: number;
  /** One image for each scale. */
  readonly images: readonly RgbImage[];
}

/** Image of one scale in one mode; `prompt` is the index of the scale. */
export interface SlideImage extends SampleKey {
  readonly mode: Mode;
  readonly image: RgbImage;
}

/** All measures, as plain JSON. */
export interface Slide {
  readonly prompt: string;
  readonly concept: string | null;
  readonly slider: string;
  readonly scales: readonly number[];
  /** Scale that pixels are compared with: 0, or the first where 0 is not among the scales. */
  readonly reference: number;
  readonly seeds: readonly number[];
  readonly rows: readonly SlideRow[];
}

export type SlideEvent =
  | (GenerateEvent & { readonly mode: Mode })
  | { readonly type: "slide"; readonly slide: Slide; readonly strips: readonly SlideStrip[] };

/** Creates the request of each mode: one prompt for each scale, so that a batch holds a strip. */
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
  if (scales.length === 0) throw new RequestError("expected at least one scale");
  const asked = modes ?? (pair.distilled ? (["base", "distilled", "hybrid"] as const) : (["base"] as const));
  const samples = scales.map((scale, prompt) => ({ prompt, scale }));
  const use = { ref: slider, scale: { samples }, ...(allowUnmatched && { allowUnmatched }) };
  return asked.map((mode) =>
    requestForMode(mode, { ...rest, prompts: scales.map(() => prompt), adapters: [...adapters, use] }),
  );
}

/**
 * Runs every mode for every seed and scale. The last event holds measures and images.
 * @param kept images of an interrupted run of the same request, which are not generated again
 * @throws RequestError before a network is loaded
 */
export async function* slide(
  pair: OpenedPair,
  request: SlideRequest,
  signal?: AbortSignal,
  kept: readonly SlideImage[] = [],
): AsyncGenerator<SlideEvent, void, undefined> {
  const requests = slideRequests(pair, request);
  const { prompt, scales, seeds = [0], concept, clip, slider } = request;
  const missing: string[] = [];
  const evaluator = await openEvaluator(
    pair,
    clip,
    anyClip((why) => missing.push(why)),
  );
  if (concept !== undefined && !evaluator)
    throw new RequestError(["--concept needs a CLIP: name a CLIPModel with --clip", ...missing].join("; "));
  for (const why of missing) yield { type: "notice", text: `${why}; --clip REF names another`, mode: "base" };
  const text = evaluator && concept !== undefined ? await evaluator.clip.text(concept) : null;
  const strips: SlideStrip[] = [];
  const rows: SlideRow[] = [];
  for (const each of requests) {
    const mode = each.mode ?? "base";
    const images = new Map(kept.filter((k) => k.mode === mode).map((k) => [keyOf(k), k.image]));
    const all = scales.flatMap((_, prompt) => seeds.map((seed) => ({ prompt, seed })));
    const left = madeAgain(
      planFor(pair, each),
      all,
      all.filter((key) => !images.has(keyOf(key))),
    );
    for await (const event of left.length > 0 ? generate(pair, { ...each, samples: left }, signal) : []) {
      yield { ...event, mode };
      if (event.type === "image") images.set(keyOf(event), event.image);
    }
    const own = seeds.map((seed): SlideStrip => {
      const found = scales.flatMap((_, prompt) => images.get(keyOf({ prompt, seed })) ?? []);
      return { mode, seed, images: found };
    });
    strips.push(...own);
    const reading =
      evaluator &&
      (await evaluate(
        evaluator,
        own.map((s) => s.images),
        own.map(() => prompt),
      ));
    rows.push({ mode, stops: stopsOf(scales, own, reading, text) });
  }
  yield {
    type: "slide",
    slide: {
      prompt,
      concept: concept ?? null,
      slider,
      scales,
      reference: scales[referenceOf(scales)] ?? 0,
      seeds,
      rows,
    },
    strips,
  };
}

const keyOf = ({ prompt, seed }: SampleKey): string => `${prompt}-${seed}`;

/** Index of the scale that pixels are compared with. */
const referenceOf = (scales: readonly number[]): number => Math.max(0, scales.indexOf(0));

/** Measures of each scale. reading: outer index seed, inner index scale; text: CLIP features of the concept. */
function stopsOf(
  scales: readonly number[],
  own: readonly SlideStrip[],
  reading: Reading | null,
  text: Float32Array | null,
): SlideStop[] {
  const zero = scales.indexOf(0);
  const first = referenceOf(scales);
  const pixels = ({ images }: SlideStrip, i: number): number[] => {
    const [image, other] = [images[i], images[first]];
    return image && other ? [pixelDistance(image.data, other.data)] : [];
  };
  const strips = reading?.features ?? [];
  const numbers = reading?.attributes?.numbers ?? [];
  const overSeeds = (values: readonly number[]): Estimate | null =>
    values.length === 0 ? null : meanEstimate(values.map((v) => [v]));
  const column = (i: number) => strips.flatMap((strip) => strip[i] ?? []);
  const scores = text && scales.map((_, i) => column(i).map((image) => clipScore(image, text)));
  const reference = column(zero);
  return scales.map((scale, i) => ({
    scale,
    readings: Object.fromEntries(
      Object.keys(numbers[0]?.[0] ?? {}).map((name) => [
        name,
        meanEstimate(
          numbers.map((strip) => [strip[i]?.[name] ?? Number.NaN]),
          "linear",
        ),
      ]),
    ),
    clipScore: scores && overSeeds(scores[i] ?? []),
    change: scores && clipScoreChange(scores[i] ?? [], scores[zero] ?? []),
    distance: overSeeds(column(i).flatMap((image, s) => (reference[s] ? [cosineDistance(image, reference[s])] : []))),
    pixels: meanEstimate(own.flatMap((strip) => pixels(strip, i)).map((v) => [v])),
  }));
}
