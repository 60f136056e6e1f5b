/** `variegate train embedding`: a textual inversion from a folder of images. */
import path from "node:path";
import type { PairReference } from "../open/index.js";
import { adamw } from "../optim/index.js";
import {
  denoising,
  encodeImages,
  mustReadByCLIP,
  openWordLoss,
  sizesOf,
  type TrainedWord,
  trainedModel,
  WORD_DEFAULTS,
  type WordRequest,
  weightingOf,
} from "../train/index.js";
import { readImages } from "../train/node/index.js";
import type { Terminal } from "./terminal.js";
import { factsOf, falling, sampleSize, type Training } from "./train.js";
import { captioned, mustName, openToken, plainest } from "./trained-token.js";

export function wordTraining(
  terminal: Terminal,
  models: PairReference,
  folder: string,
  request: WordRequest,
  signal: AbortSignal,
): Training {
  const { iterations = WORD_DEFAULTS.iterations, learningRate = WORD_DEFAULTS.learningRate, on = "base" } = request;
  const { token = `<${path.basename(path.resolve(folder))}>`, vectors = 1, caption, initialize } = request;
  const word: TrainedWord = { token, vectors };
  mustName(token, caption);
  return {
    name: "embedding",
    request,
    iterations,
    optimizer: adamw({ learningRate: falling(learningRate, iterations), weightDecay: 0 }),
    async prepare(pair) {
      mustReadByCLIP(pair, "train embedding");
      weightingOf(pair, request);
      const sizes = sizesOf(pair, request);
      const read = await readImages(folder, { caption, otherwise: plainest(token), sizes, signal });
      const images = read.map((image) => captioned(image, token));
      const model = trainedModel(pair, on);
      const own = await openToken(models, pair, word, { request, initialize });
      const prompt = request.samplePrompt ?? images[0]?.caption ?? "";
      return {
        trained: { inputs: [] },
        first: own.first,
        from: images.map(factsOf),
        views: [{ prompt, scale: 1 }],
        network: () => openWordLoss(pair, model, own.encoders, { recompute: request.recompute }),
        async objective() {
          const progress = terminal.progress(images.length, "encoding images");
          const onImage = (done: number) => progress.update(done, "encoding images");
          const examples = await encodeImages(own.encoding(pair), images, [], { ...request, signal, onImage });
          progress.stop();
          return denoising(pair, examples, request);
        },
        samples: async (values, view) => ({
          pair: await own.sampling(pair, values),
          request: { mode: on, prompts: [view.prompt], ...sampleSize(pair, request) },
        }),
        async written(run, values) {
          const { files, lines, use } = await own.written(run, values);
          return { files, lines: [...lines, `try     variegate compare ${JSON.stringify(prompt)} ${use}`] };
        },
        release: own.release,
      };
    },
  };
}
