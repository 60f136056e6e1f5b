/** Trainings that only UNets have, refused for transformers before anything is loaded for them. */
import { RequestError } from "../errors.js";
import { FAMILIES } from "../families/index.js";
import type { Pair } from "../generate/index.js";

/**
 * @param what the option or command, as a message begins with it
 * @throws RequestError for a pair whose denoiser is a transformer
 */
export function mustBeUNet({ family }: Pick<Pair, "family">, what: string): void {
  const { title, denoiser } = FAMILIES[family];
  if (denoiser.folder === "unet") return;
  throw new RequestError(
    `${what} is for Stable Diffusion 1.x, 2.x and SDXL; ${title} has a transformer, for which there are train lora, train slider and train distill`,
  );
}

/**
 * @param what the option or command, as a message begins with it
 * @throws RequestError for a pair with a text encoder other than CLIP, whose vocabulary no textual inversion extends
 */
export function mustReadByCLIP({ family }: Pick<Pair, "family">, what: string): void {
  const { title, textEncoders } = FAMILIES[family];
  const other = textEncoders.find(({ kind }) => kind !== "clip");
  if (!other) return;
  const read = `${other.about} reads those of ${title}${textEncoders.length > 1 ? " too" : ""}`;
  throw new RequestError(
    `${what} is for Stable Diffusion 1.x, 2.x and SDXL, whose prompts CLIP alone reads; ${read}, and a new token would mean nothing to it`,
  );
}
