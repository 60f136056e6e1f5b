/** Numbers of a comparison: cost, variety and measures of each mode, as columns of the table, rows of the sheet and JSON. */
import {
  type AttributePredictors,
  distancesOf,
  type KeptDiversity,
  keptDiversity,
  latentDistancesOf,
  openInformation,
  type Reading,
  type Summary,
  summarise,
  type Variety,
  varietyOf,
} from "../evaluation/index.js";
import { callsPerImage, type Milliseconds, type PlanSource } from "../generate/index.js";
import { type Estimate, formatEstimate, meanEstimate, ratioEstimate } from "../metrics/index.js";
import type { Plan } from "../sampling/index.js";
import type { FloatTensor, RgbImage } from "../tensor/index.js";
import { type RecordedStep, stepsOf } from "../trajectory/index.js";
import { measureName, percent } from "./finding.js";
import type { RowName } from "./samples.js";
import type { SheetSection } from "./sheet.js";
import type { Column } from "./table.js";

/** Time of a part of a run: the images that it generated. */
export interface Timing {
  readonly images: number;
  readonly milliseconds: Milliseconds;
}

/** One mode with its images, cost and measures. */
export interface ComparedMode {
  readonly mode: RowName;
  /** images[p][i]: prompt p, i-th seed. */
  readonly images: readonly (readonly RgbImage[])[];
  readonly steps: readonly RecordedStep[];
  readonly callsPerImage: number;
  /** Denoising and decoding of an image; null where a resumed run has only the image. */
  readonly msPerImage: number | null;
  readonly milliseconds: Milliseconds;
  readonly variety: Variety;
  /** Variety of the latents; null with a CLIP, and where images were read from their files. */
  readonly latents: Variety | null;
  /** Measures by CLIP and the attribute classifier; null without a CLIP. */
  readonly summary: Summary | null;
  /** Entropy of the attributes that prompts leave open, by CLIP; null where no attributes are asked for. */
  readonly openAttributes: AttributeEntropy | null;
  /** Diversity as a share of the base's; null for the base, and without a CLIP. */
  readonly kept: KeptDiversity | null;
}

/** Entropy of attributes, and its share of the base's. */
export interface AttributeEntropy {
  /** Names of the attributes. */
  readonly names: readonly string[];
  /** Summed over the attributes that a prompt leaves open, in nats; null where no prompt leaves one open, or has two images. */
  readonly entropy: Estimate | null;
  /** Null for the base, and without entropy. */
  readonly share: Estimate | null;
}

export interface Comparison {
  readonly names: readonly RowName[];
  readonly plans: readonly Plan[];
  readonly made: readonly {
    readonly images: ComparedMode["images"];
    readonly latents: readonly (readonly FloatTensor[])[] | null;
    readonly timings: readonly Timing[];
  }[];
  readonly readings: readonly (Reading | null)[];
  /** Attributes that are asked for. */
  readonly semantic: AttributePredictors | null;
}

/** Measures every mode. The first one is the reference of the others. */
export function comparedModes(
  pair: PlanSource,
  { names, plans, made, readings, semantic }: Comparison,
): ComparedMode[] {
  const measure = readings[0] ? "clip" : "pixels";
  const distances = made.map(({ images }, m) => distancesOf(images, readings[m] ?? null));
  const latents = made.map((m) => (measure === "clip" || !m.latents ? null : latentDistancesOf(m.latents)));
  const first = readings[0];
  const entropies = readings.map((r) => semantic && r && openInformation(r.features, r.prompts, semantic));
  return made.flatMap(({ images, timings }, m) => {
    const [plan, reading] = [plans[m], readings[m]];
    if (!plan) return [];
    const milliseconds = totalOf(timings);
    const generated = timings.reduce((n, t) => n + t.images, 0);
    return {
      mode: names[m] ?? "base",
      images,
      steps: stepsOf(plan),
      callsPerImage: callsPerImage(pair, plan),
      msPerImage: generated === 0 ? null : (milliseconds.denoise + milliseconds.decode) / generated,
      milliseconds,
      variety: varietyOf(measure, distances[m] ?? [], m === 0 ? null : (distances[0] ?? null)),
      latents: latents[m] && latents[0] ? varietyOf("latents", latents[m], m === 0 ? null : latents[0]) : null,
      summary: reading ? summarise(reading) : null,
      openAttributes: semantic && attributeEntropy(semantic, entropies[m] ?? [], m === 0 ? null : (entropies[0] ?? [])),
      kept: reading && first && m > 0 ? keptDiversity(reading, first) : null,
    };
  });
}

function attributeEntropy(
  { attributes }: AttributePredictors,
  own: readonly number[],
  base: readonly number[] | null,
): AttributeEntropy {
  const finite = (e: Estimate): Estimate | null => (Number.isFinite(e.mean) ? e : null);
  return {
    names: attributes.map((a) => a.name),
    entropy: finite(meanEstimate(own.map((h) => (Number.isNaN(h) ? [] : [h])))),
    share: base && finite(ratioEstimate(own, base)),
  };
}

const totalOf = (timings: readonly Timing[]): Milliseconds =>
  timings.reduce(
    (sum, { milliseconds: ms }) => ({
      encode: sum.encode + ms.encode,
      denoise: sum.denoise + ms.denoise,
      decode: sum.decode + ms.decode,
    }),
    { encode: 0, denoise: 0, decode: 0 },
  );

/** A result as JSON, without images. */
export function resultJson({ images: _images, steps, summary, kept, openAttributes, ...numbers }: ComparedMode) {
  return {
    ...numbers,
    steps: steps.length,
    ...summary,
    ...(kept && { kept }),
    ...(openAttributes && { openAttributes }),
  };
}

/** Calls of an image: a whole number, or with one decimal where a choice of seeds shares the calls of dropped ones. */
const shownCalls = (calls: number): string => (Number.isInteger(calls) ? String(calls) : calls.toFixed(1));

/** Columns of the table. Four are shown by default, the others with --all. */
export function columnsFor(modes: readonly ComparedMode[]): Column<ComparedMode>[] {
  const measure = modes[0]?.variety.measure ?? "pixels";
  const has = {
    variety: modes.some((m) => m.variety.distance),
    latents: modes.some((m) => m.latents?.distance),
    clip: modes.some((m) => m.summary),
    attributes: modes.some((m) => m.summary?.attributes) && modes.some((m) => m.variety.distance),
    time: modes.some((m) => m.msPerImage !== null),
    open: modes.some((m) => m.openAttributes?.entropy),
  };
  const shown = (when: boolean, column: Column<ComparedMode>) => (when ? [column] : []);
  const share = (e: Estimate | null | undefined) => formatEstimate(e, percent);
  return [
    { title: "mode", of: (r) => r.mode },
    { title: "calls per image (lower is faster)", of: (r) => shownCalls(r.callsPerImage) },
    ...shown(has.variety, {
      title: `variety, ${measureName(measure)} (higher is better)`,
      of: (r) => formatEstimate(r.variety.distance),
    }),
    ...shown(has.open, {
      title: `entropy of open attributes by CLIP, nats at ${modes[0]?.images[0]?.length ?? 0} seeds (higher is better)`,
      of: (r) => formatEstimate(r.openAttributes?.entropy, (v) => v.toFixed(2)),
    }),
    ...shown(has.latents, {
      title: `variety, ${measureName("latents")} (higher is better)`,
      of: (r) => formatEstimate(r.latents?.distance),
    }),
    ...shown(has.clip, {
      title: "CLIP score (higher is better)",
      of: (r) => r.summary?.clipScore.mean.toFixed(1) ?? "",
    }),
    ...shown(has.variety, {
      title: "share of the base's variety",
      of: (r) => (r.variety.share ? share(r.variety.share) : ""),
      extra: true,
    }),
    ...shown(has.open, {
      title: "share of the base's entropy of open attributes",
      of: (r) => (r.openAttributes?.share ? share(r.openAttributes.share) : ""),
      extra: true,
    }),
    ...shown(has.time, {
      title: "ms per image (lower is faster)",
      of: (r) => r.msPerImage?.toFixed(1) ?? "",
      extra: true,
    }),
    ...shown(has.attributes, {
      title: "classifier distance (higher is better)",
      of: (r) => formatEstimate(r.summary?.attributes?.distance),
      extra: true,
    }),
    ...shown(has.attributes, {
      title: `entropy of free attributes, nats at ${modes[0]?.images[0]?.length ?? 0} seeds (higher is better)`,
      of: (r) => formatEstimate(r.summary?.attributes?.entropy, (v) => v.toFixed(2)),
      extra: true,
    }),
    ...shown(
      modes.some((m) => m.summary?.attributes?.accuracy),
      {
        title: "attribute accuracy (higher is better)",
        of: (r) => share(r.summary?.attributes?.accuracy),
        extra: true,
      },
    ),
  ];
}

/** Rows of the contact sheet for prompt `p`: images, steps, hand-off, calls and the variety of this prompt's images. */
export const sheetRows = (modes: readonly ComparedMode[], p: number): SheetSection["rows"] =>
  modes.map(({ mode, images, steps, callsPerImage, variety }) => {
    const distance = variety.perPrompt[p];
    const cost = `${shownCalls(callsPerImage)} ${callsPerImage === 1 ? "call" : "calls"}`;
    const notes = [...stepNotes(steps), distance == null ? cost : `${cost} · variety ${distance.toFixed(2)}`];
    return { label: mode, notes, images: images[p] ?? [] };
  });

/** "4 steps", or "1 + 3 steps" and "hand-off at 749" where the models change. */
function stepNotes(steps: readonly RecordedStep[]): string[] {
  const changes = steps.flatMap((step, i) => (i > 0 && step.model !== steps[i - 1]?.model ? [i] : []));
  const bounds = [0, ...changes, steps.length];
  const counts = bounds.slice(1).map((end, i) => end - (bounds[i] ?? 0));
  const label = `${counts.join(" + ")} step${steps.length === 1 ? "" : "s"}`;
  const [change] = changes;
  const at = change === undefined || changes.length > 1 ? undefined : steps[change]?.timestep;
  return at === undefined ? [label] : [label, `hand-off at ${Math.round(at)}`];
}
