/** A training run of any objective, in a folder: checkpoints from which it goes on, samples on the way, and the adapter that it gives. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import { adapterTensors, constant, layersOf } from "../adapters/index.js";
import { safetensors, tensorsOf } from "../checkpoint/index.js";
import { openWeights } from "../checkpoint/node/index.js";
import { encodePng, formatJson } from "../files/index.js";
import { generate } from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { type OpenedPair, type OpenOptions, openPair, type PairReference } from "../open/index.js";
import { adamw, type LearningRate, SCHEDULES, type Tensors } from "../optim/index.js";
import {
  adapterOf,
  type CaptionedImage,
  checkpointOf,
  chooseLayers,
  firstValues,
  type LoraOptions,
  type Objective,
  readCheckpoint,
  type TrainedLora,
  type TrainingState,
  train,
  trainedModel,
} from "../train/index.js";
import { fetching } from "./fetching.js";
import { openResumableFolder, type ResumeOptions, type RunFolder } from "./run-folder.js";
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

/** A command that trains a LoRA. */
export interface Training {
  readonly name: "slider" | "lora";
  readonly request: LoraOptions & {
    readonly on?: "base" | "distilled";
    readonly seed?: number;
    readonly sampleEvery?: number;
  };
  readonly iterations: number;
  readonly learningRate: LearningRate;
  /** Largest norm of the gradients. Default 1. */
  readonly clip?: number;
  /** Reads what the objective needs from outside, before the folder of the run is made. */
  prepare(pair: OpenedPair): Promise<Prepared>;
}

/** An objective before its folder is there. */
export interface Prepared {
  /** What the run follows from beside the models and the request. */
  readonly from?: unknown;
  readonly views: readonly View[];
  objective(folder: RunFolder): Promise<Objective>;
  /** A command line that shows the result, and its beginning of a line. */
  shown(file: string): string;
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
  readonly lora: TrainedLora;
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
  const pair = await openPair(models, { ...models, ...fetching(terminal, signal) });
  try {
    const { weights } = await trainedModel(pair, request.on ?? "base").weights();
    const layers = layersOf([...weights].map(([layer, w]) => [layer, w.shape] as const));
    const lora = chooseLayers(layers, request);
    const prepared = await training.prepare(pair);
    const { from } = prepared;
    const folder = await openResumableFolder(
      "train",
      { command: `train ${name}`, models, request, ...(from !== undefined && { from }) },
      options,
    );
    const run: Run = { terminal, folder, pair, models, training, prepared, lora, signal };
    const last = await updates(run, await prepared.objective(folder));
    if (last) await conclude(run, last);
  } finally {
    await pair.close();
  }
}

/** Makes the updates that are left. Returns the last state; null where there was none to make. */
async function updates(run: Run, objective: Objective): Promise<TrainingState | null> {
  const { terminal, folder, pair, training, lora, signal } = run;
  const { iterations, learningRate, request, clip } = training;
  const state = await earlier(folder);
  const optimizer = adamw({ learningRate });
  const options = { updates: iterations, optimizer, signal, ...(clip !== undefined && { clip }) };
  const progress = terminal.progress(iterations, "loading", { format: String, done: state?.update ?? 0 });
  const begun = { parameters: firstValues(lora, request.seed ?? 0), ...(state && { state }) };
  const every = request.sampleEvery ?? Math.ceil(iterations / ROWS);
  let last = state;
  try {
    await shown(run, "running");
    if (!state && every > 0) await sampled(run, 0, begun.parameters);
    for await (const event of train(pair, objective, lora, begun, options)) {
      const { state: next, ...numbers } = event;
      last = next;
      const { update } = numbers;
      terminal.emit({ type: "update", ...numbers });
      folder.log({ type: "update", ...numbers });
      progress.update(update, `loss ${numbers.loss.toPrecision(3)}`);
      if (update % EVERY === 0 || update === iterations) await keep(folder, next);
      if (every > 0 && (update % every === 0 || update === iterations)) await sampled(run, update, next.parameters);
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
  return last;
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

/** Writes what the model gives with the LoRA as it is now, at fixed seeds: `samples/UPDATE_VIEW_SEED.png`. */
async function sampled({ pair, folder, training, prepared, lora, signal }: Run, update: number, values: Tensors) {
  const { on = "base" } = training.request;
  const adapter = adapterOf(lora, values);
  for (const [view, { prompt, scale }] of prepared.views.entries()) {
    const use = { adapter, scale: constant(scale), on: "both" } as const;
    const request = { mode: on, prompts: [prompt], seeds: SEEDS };
    for await (const event of generate({ ...pair, adapters: [...pair.adapters, use] }, request, signal)) {
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

/** Writes the adapter in both formats, and the record of the run. */
async function conclude({ terminal, folder, pair, models, training, prepared, lora }: Run, last: TrainingState) {
  const { name, request } = training;
  const adapter = adapterOf(lora, last.parameters);
  const layers = new Map([["unet" as const, new Map()]]);
  const metadata = { "variegate.request": JSON.stringify(request) };
  const written = async (file: string, dialect: "peft" | "kohya") =>
    folder.write(file, safetensors(adapterTensors(adapter, dialect, layers), metadata));
  const [peft, kohya] = [`${name}.safetensors`, `${name}.kohya.safetensors`];
  const files = [await written(peft, "peft"), await written(kohya, "kohya")];
  const { from } = prepared;
  const run = {
    ...describeRun(pair),
    command: `train ${name}`,
    models,
    request,
    ...(from !== undefined && { from }),
    updates: last.update,
    files,
  };
  await folder.write("run.json", Buffer.from(formatJson(run)));
  terminal.emit({ type: "run", out: folder.dir, files });
  const where = path.relative("", folder.dir) || ".";
  terminal.print(`${name.padEnd(7)} ${where}/${peft} (PEFT), ${where}/${kohya}`);
  terminal.print(`page    ${where}/${PAGE}`);
  terminal.print(`try     ${prepared.shown(`${where}/${peft}`)}`);
}
