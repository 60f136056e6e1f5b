/** Records runs: the latents and x0 at every step. */
import { type GenerateEvent, type GenerateRequest, generate, type Pair, planFor } from "../generate/index.js";
import type { Mode, ModelName, NoiseLevel, Plan } from "../sampling/index.js";
import type { FloatTensor, RgbImage } from "../tensor/index.js";

/** Step of the plan, the same for every seed. */
export interface RecordedStep {
  readonly model: ModelName;
  readonly timestep: number;
  readonly from: NoiseLevel;
  readonly to: NoiseLevel;
}

/** Latents of one seed. */
export interface Track {
  readonly seed: number;
  /** Latents before every step [steps] × [1, C, h, w]. */
  readonly xt: readonly FloatTensor[];
  /** Predicted clean latents [steps] × [1, C, h, w] (DT-Visualization: Gandikota and Bau 2025, §3). */
  readonly x0: readonly FloatTensor[];
  /** Final latents [1, C, h, w]. */
  readonly final: FloatTensor;
  /** Final image, if it has been decoded. */
  readonly image?: RgbImage;
}

/** Recorded run of one mode, for all seeds. */
export interface Recording {
  readonly mode: Mode;
  readonly plan: Plan;
  readonly steps: readonly RecordedStep[];
  readonly tracks: readonly Track[];
}

/** Steps of a plan, without its re-noise rows. */
export const stepsOf = ({ rows }: Plan): RecordedStep[] =>
  rows
    .flatMap((row) => (row.kind === "step" ? [row] : []))
    .map(({ model, timestep, from, to }) => ({ model, timestep, from, to }));

/** Runs one prompt with the request's seeds and records every step. Passes the events of the run on. */
export async function* record(
  pair: Pair,
  request: GenerateRequest,
  signal?: AbortSignal,
): AsyncGenerator<GenerateEvent, Recording, undefined> {
  const plan = planFor(pair, request);
  const seeds = request.seeds ?? [0];
  const tracks = new Map(seeds.map((seed) => [seed, { xt: [] as FloatTensor[], x0: [] as FloatTensor[] }]));
  const ends = new Map<number, Pick<Track, "final" | "image">>();
  for await (const event of generate(pair, request, signal)) {
    if (event.type === "step") {
      tracks.get(event.seed)?.xt.push(event.xt);
      tracks.get(event.seed)?.x0.push(event.x0);
    }
    if (event.type === "image") ends.set(event.seed, { final: event.latents, image: event.image });
    yield event;
  }
  return {
    mode: request.mode ?? "hybrid",
    plan,
    steps: stepsOf(plan),
    tracks: [...tracks].flatMap(([seed, track]) => {
      const end = ends.get(seed);
      return end ? [{ seed, ...track, ...end }] : [];
    }),
  };
}
