/** Trainings that only UNets have, refused for transformers before anything is loaded for them. */
import { RequestError } from "../errors.js";
import { FAMILIES } from "../families/index.js";
import type { Pair } from "../generate/index.js";

/** Whether the denoiser of a pair is a UNet. */
export const hasUNet = ({ family }: Pick<Pair, "family">): boolean => FAMILIES[family].denoiser.folder === "unet";

/**
 * @param what the option or command, as a message begins with it
 * @throws RequestError for a pair whose denoiser is a transformer
 */
export function mustBeUNet({ family }: Pick<Pair, "family">, what: string): void {
  if (hasUNet({ family })) return;
  const { title } = FAMILIES[family];
  throw new RequestError(
    `${what} is for Stable Diffusion 1.x, 2.x and SDXL; ${title} has a transformer, for which there are train lora, train slider and train distill`,
  );
}
