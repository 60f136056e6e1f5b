/** Generates the images of a cell and evaluates them with every instrument. */
import { decodeLatents } from "../decode/index.js";
import { evaluate, sharpness } from "../evaluation/index.js";
import { type GenerateRequest, generate, type Pair, plainPrompts } from "../generate/index.js";
import { cosineDistance } from "../metrics/index.js";
import { type FloatTensor, type RgbImage, stack } from "../tensor/index.js";
import type { Cell } from "./cell.js";
import { type ExperimentRow, samplingOf } from "./definition.js";
import type { Place } from "./machine.js";
import { featuresOf, type Models } from "./models.js";
import { type CellResult, packed } from "./store.js";

export interface CellOptions {
  /** Number of processes that share the machine, stored with the result: times are valid for 1 only. */
  readonly workers: number;
  readonly place: Place;
  readonly signal?: AbortSignal;
  /** Called with the number of model calls since the last time. */
  readonly onCalls?: (calls: number) => void;
}

export interface CellSamples {
  readonly result: CellResult;
  readonly images: readonly RgbImage[];
}

/** Generates a cell. Before the first cell of a row, one image is generated and discarded to warm up its networks. */
export async function generateCell(models: Models, cell: Cell, o: CellOptions): Promise<CellSamples> {
  const { pair, evaluator, warm } = models;
  const { row } = cell;
  if (!warm.has(row.name)) {
    // One image has no others to choose from, or to be unlike.
    const { choose: _, diversity: _methods, ...sampling } = row.sampling;
    const signal = o.signal ? { signal: o.signal } : {};
    await runRequest(pair, requestOf({ ...row, sampling }, cell.samples.slice(0, 1)), signal);
    warm.add(row.name);
  }
  const request = requestOf(row, cell.samples);
  const callsPerStep = cell.calls / (cell.samples.length * cell.steps);
  const made = await runRequest(pair, request, {
    follow: row.follow,
    onStep: () => o.onCalls?.(callsPerStep),
    ...(o.signal && { signal: o.signal }),
  });
  const { attributes } = await evaluate(evaluator, made.images, plainPrompts(request));
  const features = await featuresOf(models, made.images.flat());
  // "judge" is the name of the classifier in earlier results.
  if (attributes) features["judge"] = attributes.features.flat();
  features["sharpness"] = made.images.flat().map((image) => Float32Array.of(sharpness(image)));
  const [predicted, numbers] = [attributes?.predicted.flat(), attributes?.numbers.flat()];
  const probabilities = attributes?.probabilities.flat();
  const curves = row.follow ? await curvesOf(models, made.x0, features["clip"] ?? []) : [];
  const pictures = made.samples.map(({ prompt, seed }, i) => ({
    prompt,
    seed,
    features: packedByName(Object.entries(features).map(([name, f]) => [name, f[i] ?? []])),
    factors: predicted?.[i] ? { ...predicted[i] } : null,
    probabilities: probabilities?.[i] ? packedByName(Object.entries(probabilities[i])) : null,
    numbers: numbers?.[i] ? { ...numbers[i] } : null,
    curve: curves[i]?.distances ?? null,
    steps: curves[i]?.attributes ?? null,
  }));
  const { calls, milliseconds, timesteps } = made;
  return {
    result: { cell: cell.id, calls, milliseconds, workers: o.workers, place: o.place, timesteps, pictures },
    images: made.images.flat(),
  };
}

const packedByName = (values: readonly (readonly [string, ArrayLike<number>])[]): Record<string, string> =>
  Object.fromEntries(values.map(([name, v]) => [name, packed(Float32Array.from(v))]));

/** Milliseconds per model call in a full batch, decoding included. */
export async function measurePace(
  { pair }: Models,
  { sampling: { mode, size } }: ExperimentRow,
  prompt: string,
  signal?: AbortSignal,
): Promise<number> {
  const steps = mode === "hybrid" ? 2 : 1;
  const request = { mode, steps, guidance: 0, prompts: [prompt], ...(size && { size }) };
  const seeds = Array.from({ length: 16 }, (_, i) => i);
  // The first run loads and warms up the networks.
  await runRequest(pair, { ...request, seeds: [0] }, signal ? { signal } : {});
  const { milliseconds, calls } = await runRequest(pair, { ...request, seeds }, signal ? { signal } : {});
  return milliseconds / calls;
}

/** Request for exactly these prompt–seed pairs; with a choice of seeds, one that keeps as many, from the first seed of each prompt on. */
function requestOf(row: ExperimentRow, samples: Cell["samples"]): GenerateRequest {
  const prompts = [...new Set(samples.map((s) => s.prompt))];
  const own = samples.filter((s) => s.prompt === prompts[0]).length;
  const { choose, ...sampling } = samplingOf(row, own);
  const first = new Map(
    samples.map((s) => [s.prompt, Math.min(...samples.flatMap((o) => (o.prompt === s.prompt ? o.seed : [])))]),
  );
  const all = choose
    ? prompts.flatMap((prompt) =>
        Array.from({ length: choose.of }, (_, i) => ({ prompt, seed: (first.get(prompt) ?? 0) + i })),
      )
    : samples;
  const seeds = [...new Set(all.map((s) => s.seed))];
  const wanted = all.map(({ prompt, seed }) => ({ prompt: prompts.indexOf(prompt), seed }));
  const asked = { ...sampling, ...(choose && { choose }), prompts, seeds, samples: wanted };
  return { ...asked, ...(row.adapter && { adapters: [row.adapter] }) };
}

interface Generated {
  /** Images [prompts][seeds]. */
  readonly images: readonly (readonly RgbImage[])[];
  /** Prompts and seeds of images.flat(). */
  readonly samples: Cell["samples"];
  /** x0 of images.flat() at every step, if followed. */
  readonly x0: readonly (readonly FloatTensor[])[];
  readonly timesteps: number[];
  readonly calls: number;
  /** Duration without loading. */
  readonly milliseconds: number;
}

interface FollowOptions {
  readonly follow?: boolean;
  readonly onStep?: () => void;
  readonly signal?: AbortSignal;
}

async function runRequest(
  pair: Pair,
  request: GenerateRequest,
  { follow, onStep, signal }: FollowOptions,
): Promise<Generated> {
  const made = request.prompts.map(() => [] as { image: RgbImage; seed: number; x0: FloatTensor[] }[]);
  const x0 = new Map<string, FloatTensor[]>();
  const timesteps: number[] = [];
  let [calls, loading] = [0, 0];
  const start = performance.now();
  for await (const event of generate(pair, request, signal)) {
    if (event.type === "loaded") loading += event.milliseconds;
    if (event.type === "step") {
      if (timesteps.length === event.step) timesteps.push(event.timestep);
      const key = `${event.prompt} ${event.seed}`;
      if (follow) x0.set(key, [...(x0.get(key) ?? []), event.x0]);
      onStep?.();
    }
    if (event.type === "image") {
      const { image, prompt, seed } = event;
      made[prompt]?.push({ image, seed, x0: x0.get(`${prompt} ${seed}`) ?? [] });
    }
    if (event.type === "done") calls = event.calls;
  }
  return {
    images: made.map((own) => own.map((m) => m.image)),
    samples: made.flatMap((own, p) => own.map((m) => ({ prompt: request.prompts[p] ?? "", seed: m.seed }))),
    x0: made.flatMap((own) => own.map((m) => m.x0)),
    timesteps,
    calls,
    milliseconds: performance.now() - start - loading,
  };
}

/** CLIP distance of x0 at every step to the final image, and its attributes, of each sample. */
async function curvesOf(
  { pair, evaluator }: Models,
  x0: readonly (readonly FloatTensor[])[],
  finals: readonly Float32Array[],
): Promise<{ distances: number[]; attributes: CellResult["pictures"][number]["steps"] }[]> {
  const curves = [];
  for (const [i, steps] of x0.entries()) {
    const images = await decodeLatents(pair.decoder, stack(steps), pair.engine);
    const features = await evaluator.clip.images(images);
    const classified = await evaluator.classifier?.classify(images);
    curves.push({
      distances: features.map((f) => cosineDistance(f, finals[i] ?? f)),
      attributes: classified?.map((c) => ({ ...c.attributes })) ?? null,
    });
  }
  return curves;
}
