/** `variegate train slider`: a Concept Slider from prompts, or from pairs of images. */
import { RequestError } from "../errors.js";
import type { OpenedPair } from "../open/index.js";
import { adamw } from "../optim/index.js";
import {
  encodeImages,
  imageSlider,
  mustBeUNet,
  type Objective,
  OFFICIAL_DEFAULTS,
  openOfficialSlider,
  openSlider,
  rowOfRequest,
  SLIDER_DEFAULTS,
  type SliderRequest,
  type SliderRow,
  sizesOf,
  withAttributes,
} from "../train/index.js";
import { readImages, readSliderPrompts } from "../train/node/index.js";
import type { Terminal } from "./terminal.js";
import { factsOf, falling, type Training } from "./train.js";
import { loraResult } from "./trained-lora.js";

/** What a slider learns from, read and checked. */
interface Source {
  readonly prompt: string;
  /** What the run follows from beside the request. */
  readonly from?: unknown;
  readonly objective: () => Promise<Objective>;
}

export function sliderTraining(terminal: Terminal, request: SliderRequest, signal: AbortSignal): Training {
  const { parity = false, on, concept } = request;
  if (parity && on === "distilled") throw new RequestError("--parity is the official trainer, which trains the base");
  const defaults = parity ? OFFICIAL_DEFAULTS : SLIDER_DEFAULTS;
  const { iterations = defaults.iterations, learningRate = defaults.learningRate } = request;
  checkSource(request);
  const command = { name: "slider", request } as const;
  return {
    ...command,
    iterations,
    optimizer: adamw({ learningRate: parity ? learningRate : falling(learningRate, iterations) }),
    ...(parity && { clip: Number.POSITIVE_INFINITY }),
    async prepare(pair) {
      if (parity) mustBeUNet(pair, "--parity");
      sizesOf(pair, { size: request.size, crop: true });
      const { prompt, ...source } = request.positiveImages
        ? await fromImages(terminal, pair, request, signal)
        : fromPrompts(terminal, pair, request);
      return {
        ...source,
        views: [-1, 1].map((scale) => ({ prompt: concept ?? prompt, scale })),
        ...(await loraResult(
          pair,
          command,
          (file) => `variegate slide ${JSON.stringify(concept ?? prompt)} --slider ${file}`,
        )),
      };
    },
  };
}

/** Checks that there is one source of directions. @throws RequestError */
function checkSource(request: SliderRequest): void {
  const { prompts, positive, negative, positiveImages, negativeImages, attributes, parity } = request;
  const given = {
    "--prompts": prompts !== undefined,
    "--positive": positive !== undefined || negative !== undefined,
    "--positive-images": positiveImages !== undefined || negativeImages !== undefined,
  };
  const sources = Object.entries(given).flatMap(([flag, is]) => (is ? [flag] : []));
  if (sources.length > 1)
    throw new RequestError(`${sources.join(" and ")} exclude each other: a slider has one source`);
  if (given["--positive-images"]) {
    if (!positiveImages || !negativeImages)
      throw new RequestError("--positive-images and --negative-images belong together");
    if (request.concept === undefined) throw new RequestError("--concept is missing: the caption of the images");
    if (parity || attributes) throw new RequestError("--parity and --attributes are for sliders from prompts");
  } else if (!prompts) rowOfRequest(request);
}

function fromPrompts(terminal: Terminal, pair: OpenedPair, request: SliderRequest): Source {
  const { prompts, attributes = "", parity } = request;
  const listed = prompts
    ? readSliderPrompts(prompts, (key) => terminal.warn(`${prompts}: ${key} has no effect`))
    : [rowOfRequest(request)];
  const names = attributes.split(",").flatMap((name) => name.trim() || []);
  const rows: readonly SliderRow[] = withAttributes(listed, names);
  return {
    prompt: rows[0]?.target ?? "",
    ...(prompts && { from: rows }),
    objective: () => (parity ? openOfficialSlider(pair, rows, request) : openSlider(pair, request, rows)),
  };
}

async function fromImages(
  terminal: Terminal,
  pair: OpenedPair,
  request: SliderRequest,
  signal: AbortSignal,
): Promise<Source> {
  const { positiveImages = "", negativeImages = "", concept = "" } = request;
  const { size, on } = request;
  const sizes = sizesOf(pair, { size });
  const read = (folder: string) => readImages(folder, { caption: concept, sizes, signal });
  const [positive, negative] = [await read(positiveImages), await read(negativeImages)];
  const names = (images: readonly { readonly file: string }[]) => new Set(images.map(({ file }) => file));
  for (const [folder, own, other] of [
    [negativeImages, names(negative), names(positive)],
    [positiveImages, names(positive), names(negative)],
  ] as const) {
    const missing = [...other].filter((file) => !own.has(file));
    if (missing.length > 0) throw new RequestError(`${folder} has no counterpart of ${missing.slice(0, 3).join(", ")}`);
  }
  const images = [...positive, ...negative];
  return {
    prompt: concept,
    from: images.map(factsOf),
    async objective() {
      const progress = terminal.progress(images.length, "encoding images");
      const onImage = (done: number) => progress.update(done, "encoding images");
      const { examples } = await encodeImages(pair, images, [], { size, on, signal, onImage });
      progress.stop();
      const half = positive.length;
      return imageSlider(pair, { positive: examples.slice(0, half), negative: examples.slice(half) }, request);
    },
  };
}
