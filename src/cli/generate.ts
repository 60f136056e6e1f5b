/** `variegate generate`: one image for each prompt and seed, and run.json, which reproduces them. */
import { safetensors } from "../checkpoint/index.js";
import {
  differences,
  networkDifferences,
  overridden,
  pixelHash,
  type Recorded,
  type RecordedRun,
  readRecorded,
  recordedPng,
  withNamedModels,
} from "../convert/index.js";
import { FileError, RequestError } from "../errors.js";
import { formatJson } from "../files/index.js";
import {
  checkRequest,
  eventJson,
  type GenerateRequest,
  generate,
  type Milliseconds,
  planFor,
  type SampleKey,
  type StepEvent,
  settingsFor,
  unusedAdapters,
  withCalibrated,
} from "../generate/index.js";
import { describeRun, versions } from "../inspect/index.js";
import {
  type OpenedPair,
  type OpenOptions,
  openPair,
  type PairReference,
  type SourceFile,
  sourceFiles,
  withPromptEmbeddings,
} from "../open/index.js";
import { madeAgain, type Plan, planJson, samplesPerRow } from "../sampling/index.js";
import { counted, type FloatTensor, type RgbImage, stack } from "../tensor/index.js";
import { choiceOf, keepChoice, requestForKept, samplesOf, undecided, withoutChoice } from "./chosen.js";
import { fetching } from "./fetching.js";
import { warnOf, warnOfDecoding } from "./notices.js";
import { openResumableFolder, type ResumeOptions, type RunFile, type RunFolder } from "./run-folder.js";
import type { Terminal } from "./terminal.js";
import { tileOf } from "./units.js";

export interface GenerateOptions extends ResumeOptions {
  readonly saveLatents?: boolean | undefined;
  /** File of a recorded run to make again. Options beside it override the recorded ones. */
  readonly from?: string | undefined;
  /** Goes on where a model file is not the recorded one. */
  readonly allowChanged?: boolean | undefined;
}

/** A recorded run that is made again. */
interface Again {
  readonly recorded: Recorded;
  /** Options beside it changed the run. */
  readonly changed: boolean;
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
  if (options.from === undefined) {
    if (request.prompts.length === 0) throw new RequestError("generate needs a prompt, or --from with a recorded run");
    return makeImages(terminal, models, request, options, signal, null);
  }
  const recorded = await withNamedModels(await readRecorded(options.from), models, signal);
  const repeat = overridden(recorded, models, request);
  for (const text of [...recorded.unread, ...repeat.changes]) terminal.warn(`--from: ${text}`);
  const again = { recorded, changed: repeat.changes.length > 0 };
  return makeImages(terminal, { ...models, ...repeat.models }, repeat.request, options, signal, again);
}

async function makeImages(
  terminal: Terminal,
  models: PairReference & OpenOptions,
  request: GenerateRequest,
  options: GenerateOptions,
  signal: AbortSignal,
  again: Again | null,
): Promise<void> {
  const opened = await withPromptEmbeddings(models, request);
  const pair = await openPair(opened, { ...opened, ...fetching(terminal, signal) });
  const ended = new AbortController();
  try {
    checkRequest(pair, request);
    const plan = planFor(pair, request);
    for (const text of unusedAdapters(models.adapters, plan)) terminal.warn(text);
    const run: RecordedRun = {
      machine: describeRun(pair),
      models,
      // With the calibrated setting, so that the record does not depend on this machine.
      request: withCalibrated(pair, withoutChoice(request)),
      ...choiceOf(request),
      ...(again && !again.changed && again.recorded.whole && { whole: again.recorded.whole }),
      // Large files are hashed while the models load and run.
      sources: sourceFiles(pair, opened, request, ended.signal),
    };
    run.sources.catch(() => {});
    if (again) mustBeRecorded(terminal, again, await run.sources, plan, options);
    const folder = await openResumableFolder(
      "generate",
      { models, request, plan, latents: options.saveLatents === true },
      options,
    );
    const task: Task = { request, plan, options, image: request.samples ? again?.recorded.image : undefined };
    const kept = new Map(folder.chosen);
    const output: Output = { terminal, folder, signal, kept };
    const all = await filesOfAll(pair, run, task, output);
    // The record makes the kept seeds again, without a choice.
    const made = withCalibrated(pair, request.choose ? requestForKept(request, kept) : request);
    const record = {
      ...run.machine,
      command: "generate",
      models,
      request: made,
      settings: settingsFor(pair, request),
      sources: await run.sources,
      plan: planJson(planFor(pair, made)),
      ...choiceOf(request),
      files: all,
      seconds: folder.seconds(),
    };
    await folder.write("run.json", Buffer.from(formatJson(record)));
    if (again) compareImages(terminal, again, all);
    terminal.emit({ type: "run", out: folder.dir, files: all });
    for (const { file } of all) terminal.print(`${folder.dir}/${file}`);
  } finally {
    ended.abort();
    await pair.close();
  }
}

/** What is generated: a request, and the one image that is made again, of those that share its batch. */
interface Task {
  readonly request: GenerateRequest;
  readonly plan: Plan;
  readonly options: GenerateOptions;
  readonly image: SampleKey | null | undefined;
}

interface Output {
  readonly terminal: Terminal;
  readonly folder: RunFolder;
  readonly signal: AbortSignal;
  /** Kept seeds by prompt, of a run with a choice. */
  readonly kept: Map<number, readonly number[]>;
}

/** Files of every sample in order: those that the folder keeps, and those that are generated now. */
async function filesOfAll(pair: OpenedPair, run: RecordedRun, task: Task, output: Output): Promise<SampleFile[]> {
  const { request, options, image } = task;
  const files = new Map<string, readonly SampleFile[]>();
  if (request.choose) {
    const candidates = undecided(request, output.kept);
    for (const made of await generateSamples(pair, run, task, candidates, output)) files.set(...made);
  }
  const whole = request.choose ? requestForKept(request, output.kept) : request;
  const samples = image ? [image] : samplesOf(whole);
  for (const sample of samples) {
    const stem = stemOf(request, sample);
    const kept = files.has(stem) ? null : keptFiles(output.folder, stem, options);
    if (kept) files.set(stem, ofSample(kept, sample));
  }
  const missing = samples.filter((sample) => !files.has(stemOf(request, sample)));
  const plan = planFor(pair, whole);
  const left = madeAgain(plan, samples, missing);
  const rest = { ...task, request: whole, plan };
  for (const made of await generateSamples(pair, run, rest, left, output)) files.set(...made);
  return samples.flatMap((sample) => files.get(stemOf(request, sample)) ?? []);
}

/** Generates samples and writes their files, by the stem of their names. */
async function generateSamples(
  pair: OpenedPair,
  run: RecordedRun,
  { request, plan, options, image }: Task,
  left: readonly SampleKey[],
  { terminal, folder, signal, kept }: Output,
): Promise<Map<string, readonly SampleFile[]>> {
  const files = new Map<string, readonly SampleFile[]>();
  if (left.length === 0) return files;
  const tracks = new Map<string, Steps>();
  const progress = terminal.progress(ticksOf(plan, left.length), "loading");
  let ticks = 0;
  let decoding: Milliseconds | undefined;
  const samples = image ? (request.samples ?? left) : left;
  for await (const event of generate(pair, { ...request, samples }, signal)) {
    terminal.emit(eventJson(event));
    warnOf(terminal, event);
    keepChoice(folder, request, event, kept);
    if (event.type === "step") {
      progress.update(++ticks, `${event.model} at ${event.timestep}`);
      if (options.saveLatents) track(tracks, stemOf(request, event), event);
    }
    if (event.type === "tile") progress.update(ticks + event.done / event.total, tileOf(event));
    // Another image of the batch of the one that is made again is not written.
    if (event.type === "image" && (!image || stemOf(request, event) === stemOf(request, image))) {
      const stem = stemOf(request, event);
      const png = await recordedPng(pair, run, event);
      files.set(stem, ofSample(await writeSample(folder, stem, event, png, tracks.get(stem)), event));
      tracks.delete(stem);
      progress.update(++ticks, `${stem}.png`);
    }
    if (event.type !== "done") continue;
    folder.log(eventJson(event));
    decoding = event.milliseconds;
  }
  progress.stop();
  if (decoding) warnOfDecoding(terminal, pair, decoding);
  return files;
}

/** Steps and images of so many samples that begin a plan. */
function ticksOf(plan: Plan, samples: number): number {
  const shares = samplesPerRow(plan);
  const kept = samples / (shares[0] ?? 1);
  const steps = plan.rows.reduce((n, row, i) => (row.kind === "step" ? n + (shares[i] ?? 1) : n), 0);
  return Math.round(kept * (steps + 1));
}

/** Name of a sample's files without ending: the seed, after the number of the prompt where there are several. */
const stemOf = ({ prompts }: GenerateRequest, { prompt, seed }: SampleKey): string =>
  prompts.length > 1 ? `${prompt}-${seed}` : `${seed}`;

/** Warns of what differs from a record. @throws FileError where models differ, unless that is allowed */
function mustBeRecorded(
  terminal: Terminal,
  { recorded, changed }: Again,
  sources: readonly SourceFile[],
  plan: Plan,
  { allowChanged = false }: GenerateOptions,
): void {
  const { version, file } = recorded;
  const own = versions().variegate;
  if (version !== null && version !== own) terminal.warn(`--from: recorded by variegate ${version}; this is ${own}`);
  // A1111's images are not expected to be equal, so that another network is no error.
  for (const text of networkDifferences(recorded.networks, sources)) terminal.warn(`--from: ${text}`);
  const differ = differences(recorded, sources, plan, changed);
  if (differ.length === 0) return;
  if (!allowChanged) throw new FileError(file, `${differ.join("; ")}. --allow-changed goes on`);
  for (const text of differ) terminal.warn(`--from: ${text}`);
}

/** Says whether the images are the recorded ones. */
function compareImages(terminal: Terminal, { recorded, changed }: Again, files: readonly SampleFile[]): void {
  if (changed || recorded.pixels.length === 0) return;
  const images = files.filter((file) => file.pixels !== undefined);
  const equal = images.filter(({ prompt, seed, pixels }) =>
    recorded.pixels.some((r) => r.prompt === prompt && r.seed === seed && r.pixels === pixels),
  );
  terminal.warn(
    `--from: ${equal.length} of ${counted(images.length, "image equals the recorded one", "images equal the recorded ones")} in every pixel${recorded.chosen && equal.length < images.length ? "; its seeds were chosen in larger batches, where networks round differently" : ""}`,
  );
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
