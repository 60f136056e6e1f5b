/** `variegate generate`: one image for each prompt and seed, and run.json, which reproduces them. */
import { safetensors } from "../checkpoint/index.js";
import { pixelHash, type RecordedRun, recordedPng } from "../convert/index.js";
import { formatJson } from "../files/index.js";
import {
  checkRequest,
  eventJson,
  type GenerateRequest,
  generate,
  planFor,
  type SampleKey,
  type StepEvent,
  settingsFor,
} from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { type OpenOptions, openPair, type PairReference, sourceFiles, withPromptEmbeddings } from "../open/index.js";
import { planJson } from "../sampling/index.js";
import { type FloatTensor, type RgbImage, stack } from "../tensor/index.js";
import { stepsOf } from "../trajectory/index.js";
import { fetching } from "./fetching.js";
import { warnOf } from "./notices.js";
import { openResumableFolder, type ResumeOptions, type RunFile, type RunFolder } from "./run-folder.js";
import type { Terminal } from "./terminal.js";
import { tileOf } from "./units.js";

export interface GenerateOptions extends ResumeOptions {
  readonly saveLatents?: boolean | undefined;
}

/** File of a sample, as listed in run.json. */
type SampleFile = RunFile & { readonly prompt: number; readonly seed: number };
type Steps = { xt: FloatTensor[]; x0: FloatTensor[]; timesteps: number[] };

export async function runGenerate(
  terminal: Terminal,
  models: PairReference & OpenOptions,
  request: GenerateRequest,
  options: GenerateOptions,
  signal: AbortSignal,
): Promise<void> {
  const opened = await withPromptEmbeddings(models, request);
  const pair = await openPair(opened, { ...opened, ...fetching(terminal, signal) });
  const ended = new AbortController();
  try {
    checkRequest(pair, request);
    const plan = planFor(pair, request);
    const folder = await openResumableFolder(
      "generate",
      { models, request, plan, latents: options.saveLatents === true },
      options,
    );
    const seeds = [...new Set(request.seeds ?? [0])];
    const samples = request.prompts.flatMap((_, prompt) => seeds.map((seed) => ({ prompt, seed })));
    const stemOf = ({ prompt, seed }: SampleKey) => (request.prompts.length > 1 ? `${prompt}-${seed}` : `${seed}`);
    const files = new Map<string, readonly SampleFile[]>();
    for (const sample of samples) {
      const kept = keptFiles(folder, stemOf(sample), options);
      if (kept) files.set(stemOf(sample), ofSample(kept, sample));
    }
    const left = samples.filter((sample) => !files.has(stemOf(sample)));
    const progress = terminal.progress(left.length * (stepsOf(plan).length + 1), "loading");
    const run: RecordedRun = {
      machine: describeRun(pair),
      models,
      request,
      // Large files are hashed while the models load and run.
      sources: sourceFiles(pair, opened, request, ended.signal),
    };
    run.sources.catch(() => {});
    const tracks = new Map<string, Steps>();
    let ticks = 0;
    for await (const event of generate(pair, { ...request, samples: left }, signal)) {
      terminal.emit(eventJson(event));
      warnOf(terminal, event);
      if (event.type === "step") {
        progress.update(++ticks, `${event.model} at ${event.timestep}`);
        if (options.saveLatents) track(tracks, stemOf(event), event);
      }
      if (event.type === "tile") progress.update(ticks + event.done / event.total, tileOf(event));
      if (event.type === "image") {
        const stem = stemOf(event);
        const png = await recordedPng(pair, run, event);
        files.set(stem, ofSample(await writeSample(folder, stem, event, png, tracks.get(stem)), event));
        tracks.delete(stem);
        progress.update(++ticks, `${stem}.png`);
      }
      if (event.type === "done") folder.log(eventJson(event));
    }
    progress.stop();
    const all = samples.flatMap((sample) => files.get(stemOf(sample)) ?? []);
    const record = {
      ...run.machine,
      command: "generate",
      models,
      request,
      settings: settingsFor(pair, request),
      sources: await run.sources,
      plan: planJson(plan),
      files: all,
      seconds: folder.seconds(),
    };
    await folder.write("run.json", Buffer.from(formatJson(record)));
    terminal.emit({ type: "run", out: folder.dir, files: all });
    for (const { file } of all) terminal.print(`${folder.dir}/${file}`);
  } finally {
    ended.abort();
    await pair.close();
  }
}

const latentsName = (stem: string): string => `${stem}.safetensors`;
const imageName = (stem: string): string => `${stem}.png`;

/** Files of a sample from an interrupted run; null if one is missing or has changed. */
function keptFiles({ kept }: RunFolder, stem: string, { saveLatents }: GenerateOptions): readonly RunFile[] | null {
  const names = [...(saveLatents ? [latentsName(stem)] : []), imageName(stem)];
  const files = names.flatMap((name) => kept.get(name) ?? []);
  return files.length === names.length ? files : null;
}

const ofSample = (files: readonly RunFile[], { prompt, seed }: SampleKey): SampleFile[] =>
  files.map((file) => ({ ...file, prompt, seed }));

/** Writes and logs the files of a sample, latents first: a logged image implies a complete sample. */
async function writeSample(
  folder: RunFolder,
  stem: string,
  { prompt, seed, image }: SampleKey & { readonly image: RgbImage },
  png: Uint8Array,
  steps: Steps | undefined,
): Promise<RunFile[]> {
  const files: RunFile[] = [];
  const add = async (
    type: "latents" | "image",
    name: string,
    bytes: Uint8Array,
    more: Pick<RunFile, "pixels"> = {},
  ) => {
    const file = { ...(await folder.write(name, bytes)), ...more };
    folder.log({ type, ...file, prompt, seed });
    files.push(file);
  };
  if (steps) await add("latents", latentsName(stem), latentFile(steps));
  await add("image", imageName(stem), png, { pixels: pixelHash(image) });
  return files;
}

function track(tracks: Map<string, Steps>, name: string, event: StepEvent): void {
  const steps = tracks.get(name) ?? { xt: [event.xt], x0: [], timesteps: [] };
  steps.xt.push(event.next);
  steps.x0.push(event.x0);
  steps.timesteps.push(event.timestep);
  tracks.set(name, steps);
}

/** Encodes x_t [steps + 1, C, h, w], x0 [steps, C, h, w] and timesteps [steps]; float32, variance preserving. */
function latentFile({ xt, x0, timesteps }: Steps): Uint8Array {
  const times = Float32Array.from(timesteps);
  return safetensors(
    { x_t: stack(xt), x0: stack(x0), timesteps: { dtype: "float32", shape: [times.length], data: times } },
    { latents: "variance preserving" },
  );
}
