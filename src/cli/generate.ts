/** `variegate generate`: pictures of every prompt and seed, with everything needed to make them again. */
import { performance } from "node:perf_hooks";
import { safetensors } from "../checkpoint/index.js";
import { eventJson, type GenerateEvent, type GenerateRequest, generate, planFor } from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { type OpenOptions, openPair, type PairReference } from "../open/index.js";
import { type FloatTensor, stack } from "../tensor/index.js";
import { fetching } from "./fetching.js";
import { encodePng } from "./png.js";
import { type FolderOptions, openRunFolder, type RunFile, type RunFolder } from "./run-folder.js";
import type { Terminal } from "./terminal.js";
import { tileOf } from "./words.js";

export interface GenerateOptions extends FolderOptions {
  readonly saveLatents?: boolean | undefined;
}

type Steps = { xt: FloatTensor[]; x0: FloatTensor[]; timesteps: number[] };

export async function runGenerate(
  terminal: Terminal,
  models: PairReference & OpenOptions,
  request: GenerateRequest,
  options: GenerateOptions,
  signal: AbortSignal,
): Promise<void> {
  const pair = await openPair(models, { ...models, ...fetching(terminal, signal) });
  try {
    const plan = planFor(pair, request);
    const folder = await openRunFolder(
      "generate",
      { models, request, plan, latents: options.saveLatents === true },
      options,
    );
    const done = finished(folder);
    const seeds = request.seeds ?? [0];
    const name = (prompt: number, seed: number) => (request.prompts.length > 1 ? `${prompt}-${seed}` : `${seed}`);
    const steps = plan.rows.filter((row) => row.kind === "step").length;
    const total = (request.prompts.length * seeds.length - done.length) * (steps + 1);
    const progress = terminal.progress(total, "loading");
    const files: (RunFile & { prompt: number; seed: number })[] = [...done];
    const tracks = new Map<string, Steps>();
    const start = performance.now();
    let ticks = 0;
    const skip = new Set(done.map((f) => name(f.prompt, f.seed)));
    const samples = request.prompts.flatMap((_, prompt) =>
      seeds.flatMap((seed) => (skip.has(name(prompt, seed)) ? [] : [{ prompt, seed }])),
    );
    for await (const event of generate(pair, { ...request, samples }, signal)) {
      terminal.emit(eventJson(event));
      if (event.type === "adjusted") for (const why of event.why) terminal.note(why);
      if (event.type === "encoded" && event.truncated > 0) {
        terminal.note(`prompt ${event.prompt}: ${event.truncated} tokens did not fit and are left out`);
      }
      if (event.type === "step") {
        progress.update(++ticks, `${event.model} at ${event.timestep}`);
        if (options.saveLatents) track(tracks, name(event.prompt, event.seed), event);
      }
      if (event.type === "tile") progress.update(ticks + event.done / event.total, tileOf(event));
      if (event.type === "image") {
        const { prompt, seed } = event;
        const made = { prompt: request.prompts[prompt], negative: request.negative, seed, plan };
        const stem = name(prompt, seed);
        const latents = tracks.get(stem);
        if (latents) files.push({ ...(await folder.write(`${stem}.safetensors`, latentFile(latents))), prompt, seed });
        const file = await folder.write(`${stem}.png`, await encodePng(event.image, { variegate: made }));
        files.push({ ...file, prompt, seed });
        folder.log({ type: "image", ...file, prompt, seed });
        tracks.delete(stem);
        progress.update(++ticks, file.file);
      }
      if (event.type === "done") folder.log(eventJson(event));
    }
    progress.stop();
    const run = {
      ...describeRun(pair),
      command: "generate",
      models,
      request,
      plan,
      files,
      seconds: (performance.now() - start) / 1000,
    };
    await folder.write("run.json", Buffer.from(`${JSON.stringify(run, null, 2)}\n`));
    terminal.emit({ type: "run", out: folder.dir, files });
    for (const { file } of files) terminal.say(`${folder.dir}/${file}`);
  } finally {
    await pair.close();
  }
}

/** Pictures that an earlier part of the same run has finished. */
function finished(folder: RunFolder) {
  return folder.past.flatMap((e) => {
    const { type, file, bytes, sha256, prompt, seed } = e;
    if (type !== "image" || typeof file !== "string" || typeof sha256 !== "string") return [];
    if (typeof bytes !== "number" || typeof prompt !== "number" || typeof seed !== "number") return [];
    return [{ file, bytes, sha256, prompt, seed }];
  });
}

function track(tracks: Map<string, Steps>, name: string, event: Extract<GenerateEvent, { type: "step" }>): void {
  const steps = tracks.get(name) ?? { xt: [event.xt], x0: [], timesteps: [] };
  steps.xt.push(event.next);
  steps.x0.push(event.x0);
  steps.timesteps.push(event.timestep);
  tracks.set(name, steps);
}

/** x_t [steps + 1, C, h, w], x0 [steps, C, h, w], timesteps [steps]; float32, variance preserving. */
function latentFile({ xt, x0, timesteps }: Steps): Uint8Array {
  const times = Float32Array.from(timesteps);
  return safetensors(
    { x_t: stack(xt), x0: stack(x0), timesteps: { dtype: "float32", shape: [times.length], data: times } },
    { latents: "variance preserving" },
  );
}
