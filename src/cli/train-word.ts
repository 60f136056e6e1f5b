/** `variegate train embedding`: a textual inversion from a folder of images. */
import path from "node:path";
import { safetensors } from "../checkpoint/index.js";
import { RequestError } from "../errors.js";
import type { Pair } from "../generate/index.js";
import { type PairReference, readFiles } from "../open/index.js";
import { adamw } from "../optim/index.js";
import {
  type CaptionedImage,
  denoising,
  encodeImages,
  openWord,
  openWordLoss,
  sizesOf,
  type TrainedWord,
  trainedModel,
  WORD_DEFAULTS,
  type WordRequest,
  weightingOf,
  withWord,
  wordFile,
} from "../train/index.js";
import { readImages } from "../train/node/index.js";
import type { Terminal } from "./terminal.js";
import { factsOf, falling, placeOf, type Training } from "./train.js";

/** Word that the embeddings begin with. */
const LIKE = "object";

export function wordTraining(
  terminal: Terminal,
  models: PairReference,
  folder: string,
  request: WordRequest,
  signal: AbortSignal,
): Training {
  const { iterations = WORD_DEFAULTS.iterations, learningRate = WORD_DEFAULTS.learningRate, on = "base" } = request;
  const token = request.token ?? `<${path.basename(path.resolve(folder))}>`;
  const word: TrainedWord = { token, vectors: request.vectors ?? 1 };
  weightingOf(request);
  if (request.caption !== undefined && !request.caption.includes(token))
    throw new RequestError(`--caption has no ${token}: write it where the word is to stand`);
  return {
    name: "embedding",
    request,
    iterations,
    optimizer: adamw({ learningRate: falling(learningRate, iterations), weightDecay: 0 }),
    async prepare(pair) {
      const read = await readImages(folder, {
        caption: request.caption,
        otherwise: plainest(token),
        sizes: sizesOf(pair, request),
        signal,
      });
      const images = read.map((image) => captioned(image, token));
      const parts = (await readFiles(models)).textEncoders;
      const encoders = openWord(pair, parts, word);
      const model = trainedModel(pair, on);
      const first = await encoders.like(request.initialize ?? LIKE);
      const prompt = request.samplePrompt ?? images[0]?.caption ?? "";
      const opened: Pair["text"][] = [];
      return {
        trained: { inputs: [] },
        first,
        from: images.map(factsOf),
        views: [{ prompt, scale: 1 }],
        network: () => openWordLoss(pair, model, encoders, request),
        async objective() {
          const progress = terminal.progress(images.length, "encoding images");
          const onImage = (done: number) => progress.update(done, "encoding images");
          const encode = async (caption: string) => encoders.prompt(caption);
          const worded = { ...pair, text: { ...pair.text, encode } };
          const examples = await encodeImages(worded, images, [], { ...request, signal, onImage });
          progress.stop();
          return denoising(pair, examples, request);
        },
        async samples(values, view) {
          const own = await withWord(pair, parts, word, values);
          opened.push(own.text);
          return { pair: own, request: { mode: on, prompts: [view.prompt] } };
        },
        async written(run, values) {
          const name = "embedding.safetensors";
          const metadata = { "variegate.request": JSON.stringify(request) };
          const files = [await run.write(name, safetensors({ ...wordFile(word, values) }, metadata))];
          const file = `${placeOf(run)}/${name}`;
          const use = `variegate compare ${JSON.stringify(prompt)} --embedding "${file}=${token}"`;
          return { files, lines: [`embedding ${file}`, `try     ${use}`] };
        },
        async release() {
          for (const text of opened) await text.release();
          await encoders.release();
        },
      };
    },
  };
}

/** Caption of an image whose own does not have the token. */
const plainest = (token: string): string => `a photo of ${token}`;

const captioned = (image: CaptionedImage, token: string): CaptionedImage =>
  image.caption.includes(token) ? image : { ...image, caption: plainest(token) };
