/** A training run of any objective, in a folder: checkpoints from which it goes on, samples on the way, and the files that it gives. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import { safetensors, tensorsOf } from "../checkpoint/index.js";
import { openWeights } from "../checkpoint/node/index.js";
import { RequestError } from "../errors.js";
import { encodePng, formatJson } from "../files/index.js";
import { type GenerateRequest, generate, type Pair } from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { type OpenedPair, type OpenOptions, openPair, type PairReference } from "../open/index.js";
import { type LearningRate, type Optimizer, SCHEDULES, type Tensors } from "../optim/index.js";
import {
  type CaptionedImage,
  checkpointOf,
  type FollowingObjective,
  type LoraOptions,
  type LossNetwork,
  type Objective,
  readCheckpoint,
  sizeFor,
  sizesOf,
  type Trained,
  type TrainingState,
  train,
  type UpdateEvent,
} from "../train/index.js";
import { fetching } from "./fetching.js";
import { openResumableFolder, type ResumeOptions, type RunFile, type RunFolder } from "./run-folder.js";
import type { Terminal } from "./terminal.js";
import { type ShownRun, trainPage } from "./train-page.js";

/** Updates between two checkpoints. */
const EVERY = 20;
const WARMUP = 10;
const CHECKPOINT = "checkpoint.safetensors";
/** The page of a run, and the updates between two states of it. */
const PAGE = "index.html";
const SHOWN = 10;
/** Seeds of the samples on the way. */
const SEEDS = [0, 1, 2, 3];
/** Rows of samples of a run, beside the unchanged model's. */
const ROWS = 5;

/** What samples on the way show: a prompt at a scale of the LoRA. */
export interface View {
  readonly prompt: string;
  readonly scale: number;
}

/** A command that trains. */
export interface Training {
  readonly name: "slider" | "lora" | "distill" | "embedding";
  readonly request: LoraOptions & {
    readonly on?: "base" | "distilled";
    readonly size?: GenerateRequest["size"];
    readonly seed?: number;
    readonly sampleEvery?: number;
    readonly recompute?: boolean;
  };
  readonly iterations: number;
  readonly optimizer: Optimizer;
  /** Largest norm of the gradients. Default 1. */
  readonly clip?: number;
  /** Reads what the objective needs from outside, before the folder of the run is made. */
  prepare(pair: OpenedPair): Promise<Prepared>;
}

/** An objective before its folder is there. */
export interface Prepared {
  /** What the run follows from beside the models and the request. */
  readonly from?: unknown;
  /** What is trained, with its first values. */
  readonly trained: Trained;
  readonly first: Tensors;
  readonly views: readonly View[];
  objective(folder: RunFolder): Promise<Objective | FollowingObjective>;
  /** The model with what is trained, where that is not in the denoiser. */
  network?(): Promise<LossNetwork>;
  /** Images on the way with values of what is trained. */
  samples(values: Tensors, view: View): Samples | Promise<Samples>;
  /** Writes the result, and says what to do with it: lines with their beginning. */
  written(folder: RunFolder, values: Tensors): Promise<Written>;
  /** Releases what `samples` loaded. */
  release?(): Promise<void>;
}

/** Samples to be made. */
export interface Samples {
  readonly pair: Pair;
  readonly request: GenerateRequest;
}

/** Size of samples: `--size`, where it is given, or its bucket where images cannot have it. */
export function sampleSize(pair: OpenedPair, { size }: Training["request"]): Pick<GenerateRequest, "size"> {
  if (!size) return {};
  const { multiple } = pair.base.denoiser;
  const fits = size.width % multiple === 0 && size.height % multiple === 0;
  return { size: fits ? size : sizeFor(size, sizesOf(pair, { size })) };
}

/** Files of a result, and lines that say what they are. */
export interface Written {
  readonly files: readonly RunFile[];
  readonly lines: readonly string[];
}

/** Warm-up, and a cosine that falls to 0. */
export const falling = (peak: number, steps: number): LearningRate => SCHEDULES.cosine({ peak, warmup: WARMUP, steps });

/** Facts of an image that a run follows from. */
export const factsOf = ({ file, caption, image }: CaptionedImage) => ({
  file,
  caption,
  pixels: createHash("sha256").update(image.data).digest("hex"),
});

/** Where a run is shown and written, and what interrupts it. */
interface Run {
  readonly terminal: Terminal;
  readonly folder: RunFolder;
  readonly pair: OpenedPair;
  readonly models: PairReference & OpenOptions;
  readonly training: Training;
  readonly prepared: Prepared;
  readonly signal: AbortSignal;
}

export async function runTraining(
  terminal: Terminal,
  models: PairReference & OpenOptions,
  training: Training,
  options: ResumeOptions,
  signal: AbortSignal,
): Promise<void> {
  const { request, name } = training;
  if (models.device === "openvino") {
    throw new RequestError("training needs gradients, which ONNX Runtime computes; leave out --device openvino", {
      field: "device",
    });
  }
  const pair = await openPair(models, { ...models, ...fetching(terminal, signal) });
  let prepared: Prepared | undefined;
  try {
    prepared = await training.prepare(pair);
    const { from } = prepared;
    const folder = await openResumableFolder(
      "train",
      { command: `train ${name}`, models, request, ...(from !== undefined && { from }) },
      options,
    );
    const run: Run = { terminal, folder, pair, models, training, prepared, signal };
    const objective = await prepared.objective(folder);
    const last = await updates(run, objective);
    if (last) await conclude(run, last, resultOf(objective, last));
  } finally {
    await prepared?.release?.();
    await pair.close();
  }
}

/** The values that a run is for. */
const resultOf = (objective: Objective | FollowingObjective, state: TrainingState): Tensors =>
  "result" in objective ? objective.result(state) : state.parameters;

/** The folder of a run, from where the command runs if it lies there. */
export function placeOf({ dir }: RunFolder): string {
  const place = path.relative("", dir) || ".";
  return place.startsWith("..") ? dir : place;
}

/** Makes the updates that are left. Returns the last state; null where there was none to make. */
async function updates(run: Run, objective: Objective | FollowingObjective): Promise<TrainingState | null> {
  const { terminal, folder, pair, training, prepared, signal } = run;
  const { iterations, optimizer, request, clip } = training;
  const { trained, first } = prepared;
  const state = await earlier(folder);
  const { recompute } = request;
  const options = { updates: iterations, optimizer, signal, recompute, ...(clip !== undefined && { clip }) };
  const progress = terminal.progress(iterations, "loading", { format: String, done: state?.update ?? 0 });
  const network = await prepared.network?.();
  const begun = { parameters: first, ...(state && { state }), ...(network && { network }) };
  const every = request.sampleEvery ?? Math.ceil(iterations / ROWS);
  let last = state;
  let cost: Cost = { memory: null, spent: [] };
  try {
    await shown(run, "running");
    if (!state && every > 0) await sampled(run, 0, first);
    for await (const event of train<Trained>(pair, objective, trained, begun, options)) {
      const { state: next, memory, ...rest } = event;
      const numbers = { ...rest, ...(memory && { memory }) };
      last = next;
      cost = { memory, spent: [...cost.spent, rest.milliseconds] };
      const { update } = numbers;
      terminal.emit({ type: "update", ...numbers });
      folder.log({ type: "update", ...numbers });
      progress.update(update, `loss ${numbers.loss.toPrecision(3)}`);
      if (update % EVERY === 0 || update === iterations) await keep(folder, next);
      if (every > 0 && (update % every === 0 || update === iterations))
        await sampled(run, update, resultOf(objective, next));
      if (update % SHOWN === 0) await shown(run, "running");
    }
    await shown(run, "finished");
  } catch (error) {
    // A run that diverges keeps its last checkpoint instead.
    if (signal.aborted && last) await keep(folder, last);
    await shown(run, "stopped");
    throw error;
  } finally {
    progress.stop();
  }
  if (cost.memory) terminal.print(costLine(cost));
  return last;
}

/** What updates took. */
interface Cost {
  readonly memory: UpdateEvent["memory"];
  readonly spent: readonly number[];
}

/** Memory against time of a run with recomputation. */
function costLine({ memory, spent }: Cost): string {
  const [kept, recomputed] = [memory?.kept ?? 0, memory?.recomputed ?? 0].map(
    (bytes) => `${(bytes / 1e6).toFixed(0)} MB`,
  );
  const middle = [...spent].sort((a, b) => a - b)[Math.floor(spent.length / 2)] ?? 0;
  return `memory  about ${recomputed} for the values of an update, ${kept} without --recompute; ${middle.toFixed(0)} ms an update`;
}

/** Writes the page of the run, `index.html`. */
async function shown({ folder, training: { name, iterations } }: Run, state: ShownRun["state"]): Promise<void> {
  const page = await trainPage({
    dir: folder.dir,
    title: `train ${name}: ${path.basename(folder.dir)}`,
    iterations,
    state,
  });
  await folder.write(PAGE, Buffer.from(page));
}

/** Writes what the model gives as it is now, at fixed seeds: `samples/UPDATE_VIEW_SEED.png`. */
async function sampled({ folder, prepared, signal }: Run, update: number, values: Tensors) {
  for (const [view, { prompt, scale }] of prepared.views.entries()) {
    const { pair, request } = await prepared.samples(values, { prompt, scale });
    for await (const event of generate(pair, { ...request, seeds: SEEDS }, signal)) {
      if (event.type !== "image") continue;
      const name = `samples/${String(update).padStart(6, "0")}_${view}_${event.seed}.png`;
      const file = await folder.write(name, await encodePng(event.image));
      folder.log({ type: "sample", update, prompt, scale, seed: event.seed, ...file });
    }
  }
}

/** State of an interrupted run; null for a new one. */
async function earlier({ dir }: RunFolder): Promise<TrainingState | null> {
  const file = path.join(dir, CHECKPOINT);
  if (!existsSync(file)) return null;
  const index = await openWeights(file);
  const tensors = Object.fromEntries(await tensorsOf(index));
  return readCheckpoint(file, { tensors, metadata: index.metadata ?? {} });
}

async function keep(folder: RunFolder, state: TrainingState): Promise<void> {
  const { tensors, metadata } = checkpointOf(state);
  await folder.write(CHECKPOINT, safetensors(tensors, metadata));
}

/** Writes the result, and the record of the run. */
async function conclude(
  { terminal, folder, pair, models, training, prepared }: Run,
  { update }: TrainingState,
  values: Tensors,
): Promise<void> {
  const { name, request } = training;
  const { files, lines } = await prepared.written(folder, values);
  const { from } = prepared;
  const run = {
    ...describeRun(pair),
    command: `train ${name}`,
    models,
    request,
    ...(from !== undefined && { from }),
    updates: update,
    files,
  };
  await folder.write("run.json", Buffer.from(formatJson(run)));
  terminal.emit({ type: "run", out: folder.dir, files });
  for (const line of [...lines, `page    ${placeOf(folder)}/${PAGE}`]) terminal.print(line);
}
