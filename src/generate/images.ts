/** Images of a run as a list, without its other events. */
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
 * Generates one image for each prompt and seed, prompt by prompt. `generate` yields each image as it appears.
 * @throws RequestError before anything is loaded; as `generate` otherwise
 */
export async function generateImages(
  pair: Pair,
  request: ImageRequest,
  signal?: AbortSignal,
): Promise<GeneratedImage[]> {
  const whole = requestOf(request);
  const { negative, prompts } = whole;
  const images: GeneratedImage[] = [];
  for await (const event of generate(pair, whole, signal)) {
    if (event.type !== "image") continue;
    const { prompt, seed, image, latents } = event;
    const facts = { prompt: prompts[prompt] ?? "", ...(negative !== undefined && { negative }), seed };
    images.push({ ...image, ...facts, plan: planFor(pair, whole), latents });
  }
  return images;
}

/** Replaces `prompt` by `prompts`. Other fields are validated with the run. @throws RequestError when there is neither or both */
function requestOf(request: ImageRequest): GenerateRequest {
  // Callers without types.
  if (typeof request !== "object" || request === null || Array.isArray(request)) {
    const actual = Array.isArray(request) ? "an array" : request === null ? "null" : typeof request;
    throw new RequestError(`a request is ${actual}; expected an object, such as { prompt: "…", seeds: [0] }`);
  }
  const { prompt, prompts, ...rest } = request;
  if ((prompt === undefined) === (prompts === undefined)) {
    const actual = prompt === undefined ? "neither prompt nor prompts is given" : "prompt and prompts are both given";
    throw new RequestError(`${actual}; expected prompt: "…" or prompts: ["…", …]`, {
      field: "prompt",
    });
  }
  return { ...rest, prompts: prompts ?? [prompt] };
}
