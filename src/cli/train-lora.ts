/** `variegate train lora`: a LoRA from a folder of images with captions, with prior preservation where a class is named. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { RequestError } from "../errors.js";
import { decodePng, encodePng } from "../files/index.js";
import { generate } from "../generate/index.js";
import type { OpenedPair, PairReference } from "../open/index.js";
import { adamw, type Tensors } from "../optim/index.js";
import {
  type CaptionedImage,
  denoising,
  encodeImages,
  LORA_DEFAULTS,
  type LoraRequest,
  mustBeUNet,
  mustReadByCLIP,
  openWordLoss,
  sizesOf,
  trainedModel,
  weightingOf,
} from "../train/index.js";
import { readImages } from "../train/node/index.js";
import type { RunFolder } from "./run-folder.js";
import type { Terminal } from "./terminal.js";
import { factsOf, falling, type Prepared, type Training } from "./train.js";
import { type AdapterResult, customDiffusionResult, loraResult } from "./trained-lora.js";
import { captioned, mustName, openToken, plainest } from "./trained-token.js";

/** Images of the class, by default. */
const CLASS_IMAGES = 32;
/** Samples in one call while they are made. */
const TOGETHER = 8;

export function loraTraining(
  terminal: Terminal,
  models: PairReference,
  folder: string,
  request: LoraRequest,
  signal: AbortSignal,
): Training {
  const {
    classPrompt,
    classImages,
    priorWeight,
    customDiffusion = false,
    rank = 4,
    token,
    vectors,
    initialize,
  } = request;
  const usual = customDiffusion ? LORA_DEFAULTS.customDiffusionRate : LORA_DEFAULTS.learningRate;
  const { iterations = LORA_DEFAULTS.iterations, learningRate = usual } = request;
  const given = Object.entries({ "--class-images": classImages, "--prior-weight": priorWeight });
  const [alone] = given.flatMap(([flag, value]) => (value === undefined ? [] : [flag]));
  if (alone && classPrompt === undefined) throw new RequestError(`${alone} needs --class-prompt beside it`);
  const [ofToken] = Object.entries({ initialize, vectors }).find(([, v]) => v !== undefined) ?? [];
  if (ofToken && token === undefined) throw new RequestError(`--${ofToken} needs --token beside it`);
  if (token !== undefined) mustName(token, request.caption);
  if (token !== undefined && classPrompt?.includes(token))
    throw new RequestError(`--class-prompt has ${token}, which the model does not know yet: name the class without it`);
  const { layers, type, alpha } = request;
  const [lora] = Object.entries({ rank: request.rank, alpha, layers, type }).find(([, v]) => v !== undefined) ?? [];
  if (customDiffusion && lora)
    throw new RequestError(`--${lora} is of a LoRA, not of --custom-diffusion, which trains keys and values in full`);
  const command = {
    name: "lora",
    request: customDiffusion
      ? request
      : { layers: LORA_DEFAULTS.layers, type: LORA_DEFAULTS.type, alpha: rank, ...request },
  } as const;
  const resultOf = customDiffusion ? customDiffusionResult : loraResult;
  return {
    ...command,
    iterations,
    optimizer: adamw({ learningRate: falling(learningRate, iterations) }),
    async prepare(pair) {
      if (customDiffusion) mustBeUNet(pair, "--custom-diffusion");
      if (token !== undefined) mustReadByCLIP(pair, "--token");
      weightingOf(pair, request);
      const sizes = sizesOf(pair, request);
      const otherwise = token === undefined ? {} : { otherwise: plainest(token) };
      const read = await readImages(folder, { caption: request.caption, ...otherwise, sizes, signal });
      const images = token === undefined ? read : read.map((image) => captioned(image, token));
      const prompt = request.samplePrompt ?? images[0]?.caption ?? "";
      const compare = (file: string) => `variegate compare ${JSON.stringify(prompt)} --lora ${file}`;
      const result = await resultOf(pair, command, compare);
      const objective = async (run: RunFolder, encoding: OpenedPair) => {
        const kept = await imagesOfClass(terminal, pair, run, request, signal);
        const progress = terminal.progress(images.length + kept.length, "encoding images");
        const encoded = await encodeImages(encoding, images, kept, {
          ...request,
          signal,
          onImage: (done) => progress.update(done, "encoding images"),
          onTruncated: (caption) =>
            terminal.warn(`a caption is longer than the text encoders read, and is cut: ${caption}`),
        });
        progress.stop();
        return denoising(pair, encoded, request);
      };
      const facts = { from: images.map(factsOf), views: [{ prompt, scale: 1 }] };
      if (token === undefined) return { ...facts, ...result, objective: async (run) => objective(run, pair) };
      const own = await openToken(models, pair, { token, vectors: vectors ?? 1 }, { ...command, initialize });
      return {
        ...facts,
        ...(await withToken(pair, command, result, own)),
        objective: async (run) => objective(run, own.encoding(pair)),
      };
    },
  };
}

/** The parts of a training whose token is learned together with an adapter. */
async function withToken(
  pair: OpenedPair,
  { request }: Pick<Training, "request">,
  result: AdapterResult,
  own: Awaited<ReturnType<typeof openToken>>,
): Promise<Omit<Prepared, "from" | "views" | "objective">> {
  const { trained } = result;
  const ofAdapter = (values: Tensors): Tensors =>
    Object.fromEntries(Object.entries(values).filter(([name]) => Object.hasOwn(result.first, name)));
  return {
    trained,
    first: { ...result.first, ...own.first },
    network: async () =>
      openWordLoss(pair, trainedModel(pair, request.on ?? "base"), own.encoders, {
        trained,
        recompute: request.recompute,
      }),
    async samples(values, view) {
      const { pair: adapted, ...sampled } = await result.samples(ofAdapter(values), view);
      return { ...sampled, pair: await own.sampling(adapted, values) };
    },
    async written(folder, values) {
      const [adapter, token] = [await result.written(folder, ofAdapter(values)), await own.written(folder, values)];
      const lines = [...adapter.lines.slice(0, -1), ...token.lines, `${adapter.lines.at(-1)} ${token.use}`];
      return { files: [...adapter.files, ...token.files], lines };
    },
    release: own.release,
  };
}

/** Images that the model makes of the class, in `class/` of the run; those of an interrupted run are read. */
async function imagesOfClass(
  terminal: Terminal,
  pair: OpenedPair,
  run: RunFolder,
  { classPrompt, classImages = CLASS_IMAGES, on = "base", size }: LoraRequest,
  signal: AbortSignal,
): Promise<CaptionedImage[]> {
  if (classPrompt === undefined) return [];
  const nameOf = (seed: number) => `class/${seed}.png`;
  const found: CaptionedImage[] = [];
  const missing: number[] = [];
  for (let seed = 0; seed < classImages; seed++) {
    const file = run.kept.get(nameOf(seed))?.file;
    if (file === undefined) missing.push(seed);
    else found.push({ file, caption: classPrompt, image: await decodePng(await readFile(path.join(run.dir, file))) });
  }
  if (missing.length === 0) return found;
  const progress = terminal.progress(classImages, "images of the class", { format: String, done: found.length });
  const request = { mode: on, prompts: [classPrompt], seeds: missing, batch: TOGETHER, ...(size && { size }) };
  for await (const event of generate(pair, request, signal)) {
    if (event.type !== "image") continue;
    const file = nameOf(event.seed);
    run.log({ type: "class image", seed: event.seed, ...(await run.write(file, await encodePng(event.image))) });
    found.push({ file, caption: classPrompt, image: event.image });
    progress.update(found.length, "images of the class");
  }
  progress.stop();
  return found.sort((a, b) => a.file.localeCompare(b.file, "en", { numeric: true }));
}
