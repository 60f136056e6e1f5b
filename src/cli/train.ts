/** `variegate train`: a training run in a folder, with checkpoints from which it goes on, and the adapter it gives. */
import { existsSync } from "node:fs";
import path from "node:path";
import { adapterTensors, layersOf } from "../adapters/index.js";
import { safetensors, tensorsOf } from "../checkpoint/index.js";
import { openWeights } from "../checkpoint/node/index.js";
import { formatJson } from "../files/index.js";
import { describeRun } from "../inspect/index.js";
import { type OpenedPair, type OpenOptions, openPair, type PairReference } from "../open/index.js";
import { adamw, SCHEDULES } from "../optim/index.js";
import {
  adapterOf,
  checkpointOf,
  chooseLayers,
  firstValues,
  openSlider,
  readCheckpoint,
  type SliderRequest,
  type TrainedLora,
  type TrainingState,
  train,
} from "../train/index.js";
import { fetching } from "./fetching.js";
import { openResumableFolder, type ResumeOptions, type RunFolder } from "./run-folder.js";
import type { Terminal } from "./terminal.js";

/** Updates between two checkpoints. */
const EVERY = 20;
const WARMUP = 10;
const CHECKPOINT = "checkpoint.safetensors";

export async function runTrainSlider(
  terminal: Terminal,
  models: PairReference & OpenOptions,
  request: SliderRequest,
  options: ResumeOptions,
  signal: AbortSignal,
): Promise<void> {
  const { iterations: updates = 150, learningRate = 2e-3, seed = 0 } = request;
  const pair = await openPair(models, { ...models, ...fetching(terminal, signal) });
  try {
    const batches = await openSlider(pair, request);
    const { weights } = await batches.model.weights();
    const layers = layersOf([...weights].map(([name, w]) => [name, w.shape] as const));
    const lora = chooseLayers(layers, request);
    const folder = await openResumableFolder("train", { models, request }, options);
    const state = await earlier(folder);
    const optimizer = adamw({ learningRate: SCHEDULES.cosine({ peak: learningRate, warmup: WARMUP, steps: updates }) });
    const progress = terminal.progress(updates, "loading", { format: String, done: state?.update ?? 0 });
    const begun = { parameters: firstValues(lora, seed), ...(state && { state }) };
    let last = state;
    try {
      for await (const event of train(pair, batches, lora, begun, { updates, optimizer, signal })) {
        const { state: next, ...numbers } = event;
        last = next;
        terminal.emit({ type: "update", ...numbers });
        folder.log({ type: "update", ...numbers });
        progress.update(event.update, `loss ${event.loss.toPrecision(3)}`);
        if (event.update % EVERY === 0 || event.update === updates) await keep(folder, next);
      }
    } catch (error) {
      // A run that diverges keeps its last checkpoint instead.
      if (signal.aborted && last) await keep(folder, last);
      throw error;
    } finally {
      progress.stop();
    }
    if (last) await conclude(terminal, folder, { pair, models, request, lora, last });
  } finally {
    await pair.close();
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

interface Finished {
  readonly pair: OpenedPair;
  readonly models: PairReference & OpenOptions;
  readonly request: SliderRequest;
  readonly lora: TrainedLora;
  readonly last: TrainingState;
}

/** Writes the adapter in both formats, and the record of the run. */
async function conclude(terminal: Terminal, folder: RunFolder, { pair, models, request, lora, last }: Finished) {
  const adapter = adapterOf(lora, last.parameters);
  const layers = new Map([["unet" as const, new Map()]]);
  const metadata = { "variegate.request": JSON.stringify(request) };
  const written = async (name: string, dialect: "peft" | "kohya") =>
    folder.write(name, safetensors(adapterTensors(adapter, dialect, layers), metadata));
  const files = [await written("slider.safetensors", "peft"), await written("slider.kohya.safetensors", "kohya")];
  const run = { ...describeRun(pair), command: "train slider", models, request, updates: last.update, files };
  await folder.write("run.json", Buffer.from(formatJson(run)));
  terminal.emit({ type: "run", out: folder.dir, files });
  const where = path.relative("", folder.dir) || ".";
  terminal.print(`slider  ${where}/slider.safetensors (PEFT), ${where}/slider.kohya.safetensors`);
  terminal.print(`try     variegate slide ${JSON.stringify(request.concept)} --slider ${where}/slider.safetensors`);
}
