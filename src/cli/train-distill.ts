/** `variegate train distill`: a model of few steps from the base, as a LoRA or as whole weights. */
import path from "node:path";
import { safetensors } from "../checkpoint/index.js";
import { readTensors } from "../checkpoint/node/index.js";
import { RequestError } from "../errors.js";
import { readPromptSeeds } from "../experiments/index.js";
import { formatJson } from "../files/index.js";
import { generate, planFor } from "../generate/index.js";
import { modelFlags, type OpenedPair, type PairReference, readFiles } from "../open/index.js";
import { adamw, SCHEDULES, type Tensors } from "../optim/index.js";
import type { SamplingRequest } from "../sampling/index.js";
import { type FloatTensor, float } from "../tensor/index.js";
import {
  adapterOf,
  DISTILL_DEFAULTS,
  type DistillRequest,
  type Example,
  encodeCaption,
  encodeImages,
  inShapesOf,
  isLora,
  MATCHING_BETAS,
  openConsistency,
  openMatching,
  openStudent,
  sizesOf,
  studentSampling,
  type Trained,
  teacherGuidance,
  weightValues,
} from "../train/index.js";
import { readImages } from "../train/node/index.js";
import type { RunFolder } from "./run-folder.js";
import type { Terminal } from "./terminal.js";
import { factsOf, type Prepared, placeOf, type Training, type Written } from "./train.js";
import { freshLora, layersOfModel, writtenLora } from "./trained-lora.js";

/** Updates in which the learning rate rises. */
const WARMUP = 10;
/** Images that the base makes for consistency distillation, by default; prompts and seeds of one call. */
const MADE = 256;
const [PROMPTS, SEEDS] = [8, 2];

export function distillTraining(
  terminal: Terminal,
  models: PairReference,
  asked: DistillRequest,
  signal: AbortSignal,
): Training {
  checkMethod(asked);
  const { layers, type, rank: usual } = DISTILL_DEFAULTS;
  const { method = "dmd2", whole = false, rank = usual, iterations = DISTILL_DEFAULTS.iterations } = asked;
  const request: DistillRequest = whole ? asked : { layers, type, rank, alpha: rank, ...asked };
  const { learningRate: peak = whole ? 1e-4 : 5e-4 } = asked;
  const learningRate = SCHEDULES.constant_with_warmup({ peak, warmup: WARMUP, steps: iterations });
  return {
    name: "distill",
    request,
    iterations,
    optimizer: adamw({ learningRate, ...(method === "dmd2" && { betas: MATCHING_BETAS }) }),
    async prepare(pair) {
      if (request.size) sizesOf(pair, { size: request.size, crop: true });
      const prompts = await promptsOf(pair, request);
      const images = await imagesOf(pair, request, signal);
      const { trained, first } = await begun(pair, request);
      const student = openStudent(pair, trained);
      const sampling = studentSampling(pair, request);
      const prompt = request.samplePrompt ?? pair.row?.prompts[0] ?? prompts[0] ?? "";
      const command = { pair, models, request, trained, prompt };
      return {
        ...{ trained, first },
        from: images ? images.map(factsOf) : prompts,
        views: [{ prompt, scale: 1 }],
        async objective(folder) {
          if (method === "dmd2") return openMatching(pair, { prompts, learningRate }, request);
          const examples = images
            ? await encoded(terminal, pair, images, { request, signal })
            : await madeByBase(terminal, pair, { folder, prompts, request, signal });
          return openConsistency(pair, examples, request);
        },
        samples: (values, view) => ({
          pair: { ...unscaled(pair), calibrated: null, distilled: student.with(values) },
          request: { ...sampling, prompts: [view.prompt], ...(request.size && { size: request.size }) },
        }),
        written: (folder, values) => written(folder, values, command),
        release: () => student.release(),
      };
    },
  };
}

/** @throws RequestError for options of the other method */
function checkMethod({ method = "dmd2", ...o }: DistillRequest): void {
  const ofDmd2 = {
    ...{ "--keep-diversity": o.keepDiversity, "--first-step": o.firstStep },
    ...{ "--anchor": o.anchor, "--fake-updates": o.fakeUpdates },
  };
  const ofLcm = { "--images": o.images, "--made-images": o.made };
  const [flag] = Object.entries(method === "dmd2" ? ofLcm : ofDmd2).flatMap(([name, v]) =>
    v === undefined ? [] : [name],
  );
  if (flag) throw new RequestError(`${flag} is of --method ${method === "dmd2" ? "lcm" : "dmd2"}, not of ${method}`);
  const kept = Object.entries({ "--anchor": o.anchor, "--first-step": o.firstStep }).find(([, v]) => v !== undefined);
  if (kept && !o.keepDiversity) throw new RequestError(`${kept[0]} needs --keep-diversity beside it`);
  if (o.firstStep === "hybrid" && o.anchor !== undefined)
    throw new RequestError("--anchor is of --first-step base, not of hybrid");
  const ofLora = { "--rank": o.rank, "--alpha": o.alpha, "--layers": o.layers, "--type": o.type };
  const [lora] = Object.entries(ofLora).flatMap(([name, v]) => (v === undefined ? [] : [name]));
  if (o.whole && lora) throw new RequestError(`${lora} is of a LoRA, not of --whole-weights`);
  if (o.images !== undefined && (o.made !== undefined || o.prompts !== undefined))
    throw new RequestError("--images takes the place of --prompts and --made-images");
}

/** A pair without the settings of its own distilled model, where these include a scale of its LoRA, which is not the result's. */
const unscaled = (pair: OpenedPair): OpenedPair =>
  (pair.row?.sampling.distilled.loraScale ?? 1) === 1 ? pair : { ...pair, row: null };

async function begun(pair: OpenedPair, request: DistillRequest): Promise<Pick<Prepared, "trained" | "first">> {
  if (!request.whole) return freshLora(pair.base, request);
  const index = await pair.base.weights();
  const trained = { weights: [...index.weights.keys()] };
  return { trained, first: await weightValues(trained, pair.base.denoiser, index) };
}

/** Prompts to train on, each once. @throws FileError, RequestError for a file without any */
async function promptsOf(pair: OpenedPair, { prompts: file, images }: DistillRequest): Promise<string[]> {
  if (images !== undefined) return [];
  const from = file ?? pair.row?.trial?.prompts;
  const all =
    from === undefined ? (pair.row?.prompts ?? []) : (await readPromptSeeds(from, pair.lookup)).map((p) => p.prompt);
  if (all.length === 0) throw new RequestError("there are no prompts to train on: name a file with --prompts");
  return [...new Set(all)];
}

const imagesOf = async (pair: OpenedPair, { images, size }: DistillRequest, signal: AbortSignal) =>
  images === undefined ? null : readImages(images, { sizes: sizesOf(pair, { ...(size && { size }) }), signal });

async function encoded(
  terminal: Terminal,
  pair: OpenedPair,
  images: NonNullable<Awaited<ReturnType<typeof imagesOf>>>,
  { request: { size }, signal }: Pick<Making, "request" | "signal">,
): Promise<readonly Example[]> {
  const progress = terminal.progress(images.length, "encoding images");
  const onImage = (done: number) => progress.update(done, "encoding images");
  const { examples } = await encodeImages(pair, images, [], { size, signal, onImage });
  progress.stop();
  return examples;
}

/** Latents that the base makes of the prompts, in `made/` of the run; those of an interrupted run are read. */
async function madeByBase(terminal: Terminal, pair: OpenedPair, o: Making): Promise<readonly Example[]> {
  const { prompts, request } = o;
  const { made = MADE, size = pair.size } = request;
  const progress = terminal.progress(made, "images of the base", { format: String, done: 0 });
  const examples: Example[] = [];
  for (let call = 0; examples.length < made; call++) {
    const own = Array.from({ length: PROMPTS }, (_, i) => prompts[(call * PROMPTS + i) % prompts.length] ?? "");
    const unique = [...new Set(own)];
    for (const [key, latents] of await latentsOf(pair, call, unique, o)) {
      const conditioning = await encodeCaption(pair, unique[Number(key.split("-")[0])] ?? "");
      if (examples.length < made)
        examples.push({ size, conditioning, latents: [{ mean: latents, std: float(latents.shape) }] });
    }
    progress.update(examples.length, "images of the base");
  }
  progress.stop();
  return examples;
}

/** What images of the base are made of. */
interface Making {
  readonly folder: RunFolder;
  readonly prompts: readonly string[];
  readonly request: DistillRequest;
  readonly signal: AbortSignal;
}

/** Latents of one call of the base, by number of prompt and seed. */
async function latentsOf(
  pair: OpenedPair,
  call: number,
  prompts: readonly string[],
  { folder, request, signal }: Making,
): Promise<readonly (readonly [string, FloatTensor])[]> {
  const name = `made/${call}.safetensors`;
  const kept = folder.kept.get(name);
  if (kept) return [...(await readTensors(path.join(folder.dir, kept.file)))];
  const first = 1_000_000 * (1 + (request.seed ?? 0)) + SEEDS * call;
  const seeds = Array.from({ length: SEEDS }, (_, i) => first + i);
  const found: (readonly [string, FloatTensor])[] = [];
  const asked = {
    mode: "base" as const,
    prompts,
    seeds,
    batch: PROMPTS * SEEDS,
    guidance: teacherGuidance(pair, request),
    ...(request.size && { size: request.size }),
  };
  for await (const event of generate({ ...pair, calibrated: null }, asked, signal))
    if (event.type === "image") found.push([`${event.prompt}-${event.seed}`, event.latents]);
  folder.log({ type: "made", call, ...(await folder.write(name, safetensors(Object.fromEntries(found)))) });
  return found;
}

interface Command {
  readonly pair: OpenedPair;
  readonly models: PairReference;
  readonly request: DistillRequest;
  readonly trained: Trained;
  readonly prompt: string;
}

/** Writes the LoRA, or the denoiser as a folder of diffusers. */
async function written(folder: RunFolder, values: Tensors, o: Command): Promise<Written> {
  const { pair, models, request, trained, prompt } = o;
  if (isLora(trained)) {
    const shown = (file: string) => commandOf(o, file, prompt);
    return writtenLora(folder, {
      name: "distill",
      request,
      adapter: adapterOf(trained, values),
      layers: await layersOfModel(pair.base),
      shown,
    });
  }
  const { component } = (await readFiles(models)).base;
  const name = `${component.name}/diffusion_pytorch_model.safetensors`;
  const metadata = { format: "pt", "variegate.request": JSON.stringify(request) };
  const files = [
    await folder.write(`${component.name}/config.json`, Buffer.from(formatJson(component.config))),
    await folder.write(name, safetensors({ ...inShapesOf(await pair.base.weights(), values) }, metadata)),
  ];
  const where = placeOf(folder);
  return {
    files,
    lines: [`distill ${where}/${component.name}`, `try     ${commandOf({ ...o, pair }, where, prompt)}`],
  };
}

/** The command that compares the result with the base; the sampling is stated where the result does not have it by default. */
function commandOf({ pair, models, request }: Command, file: string, prompt: string): string {
  const sampling = studentSampling(pair, request);
  const { scheduler, timesteps, steps, guidance } = sampling;
  const shown = unscaled(pair);
  const source = {
    ...shown,
    calibrated: null,
    distilled: { ...pair.base, known: null, isDistilled: true, isLora: !request.whole },
  };
  const rowsOf = (asked: SamplingRequest) => JSON.stringify(planFor(source, asked).rows);
  const isOwn = rowsOf(sampling) === rowsOf({ mode: "distilled" });
  const reference: PairReference = shown === pair ? models : { base: models.base ?? pair.base.path ?? pair.base.ref };
  const { pair: named = reference.base === undefined ? "embedded" : undefined, pairs, base } = reference;
  const flags = modelFlags({
    ...(named !== undefined && { pair: named }),
    ...(pairs !== undefined && { pairs }),
    ...(base !== undefined && { base }),
    distilled: file,
  });
  const stated = [
    `--scheduler ${scheduler}`,
    timesteps ? `--timesteps ${timesteps.join(",")}` : `--steps ${steps}`,
    `--guidance ${guidance}`,
  ];
  const size = request.size ? [`--size ${request.size.width}x${request.size.height}`] : [];
  return ["variegate compare", JSON.stringify(prompt), ...flags, ...(isOwn ? [] : stated), ...size].join(" ");
}
