/** Images of a run, without its other events: awaited as a list, or iterated as they appear. */
import { RequestError } from "../errors.js";
import type { Plan } from "../sampling/index.js";
import type { FloatTensor, RgbImage } from "../tensor/index.js";
import { generate } from "./generate.js";
import type { Pair } from "./pair.js";
import { planFor } from "./planning.js";
import type { GenerateRequest } from "./request.js";

/** An 8-bit RGB image with the facts of its sample. */
export interface GeneratedImage extends RgbImage {
  readonly prompt: string;
  /** Negative prompt of the request. */
  readonly negative?: string;
  readonly seed: number;
  readonly plan: Plan;
  /** Final latents, [1, C, h, w]. */
  readonly latents: FloatTensor;
}

/** A request with one prompt or several. Omitted fields take the pair's defaults. */
export type ImageRequest = Omit<GenerateRequest, "prompts"> &
  (
    | { readonly prompt: string; readonly prompts?: never }
    | { readonly prompts: readonly string[]; readonly prompt?: never }
  );

/**
 * Images of a run, ordered by batch. `await` gives all of them; `for await` gives each as soon as it is decoded. The run starts with
 * either, once for each use; nothing runs before.
 */
export interface GeneratedImages extends PromiseLike<GeneratedImage[]>, AsyncIterable<GeneratedImage> {}

/**
 * Generates one image for each prompt and seed.
 * @throws RequestError before anything is loaded; as `generate` otherwise, when awaited or iterated
 */
export function generateImages(pair: Pair, request: ImageRequest, signal?: AbortSignal): GeneratedImages {
  const images = () => imagesOf(pair, requestOf(request), signal);
  return {
    [Symbol.asyncIterator]: images,
    // biome-ignore lint/suspicious/noThenProperty: awaiting is what starts the run, so that iterating does not start a second one.
    then: (resolve, reject) => all(images()).then(resolve, reject),
  };
}

/** Replaces `prompt` by `prompts`. Other fields are validated with the run. @throws RequestError when there is neither or both */
function requestOf({ prompt, prompts, ...rest }: ImageRequest): GenerateRequest {
  if ((prompt === undefined) === (prompts === undefined)) {
    const actual = prompt === undefined ? "neither is given" : "both are given";
    throw new RequestError(`${actual} of prompt and prompts; expected prompt: "…" or prompts: ["…", …]`, {
      field: "prompt",
    });
  }
  return { ...rest, prompts: prompts ?? [prompt] };
}

async function* imagesOf(pair: Pair, request: GenerateRequest, signal: AbortSignal | undefined) {
  for await (const event of generate(pair, request, signal)) {
    if (event.type !== "image") continue;
    const { prompt, seed, image, latents } = event;
    const { negative } = request;
    const facts = { prompt: request.prompts[prompt] ?? "", ...(negative !== undefined && { negative }), seed };
    yield { ...image, ...facts, plan: planFor(pair, request), latents };
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
