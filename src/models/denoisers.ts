/** Denoisers by the class of their config. */
import type { ConfigFile } from "./config.js";
import type { Denoiser } from "./denoiser.js";
import type { TRANSFORMERS } from "./transformer-denoisers.js";
import { parseUNetConfig } from "./unet-config.js";
import { unetDenoiser } from "./unet-denoiser.js";

const UNET = "UNet2DConditionModel";
const TRANSFORMER_CLASSES = [
  "FluxTransformer2DModel",
  "ChromaTransformer2DModel",
  "Flux2Transformer2DModel",
  "QwenImageTransformer2DModel",
  "SanaTransformer2DModel",
  "SD3Transformer2DModel",
  "ZImageTransformer2DModel",
] as const satisfies readonly (keyof typeof TRANSFORMERS)[];

/** Classes of denoisers. */
export const DENOISER_CLASSES: readonly string[] = [UNET, ...TRANSFORMER_CLASSES];

/**
 * Denoiser of a config. The code of transformers is loaded for the first of them.
 * @param scaleFactor VAE scale factor: pixels per latent along each side
 * @throws UnsupportedConfigError naming the key; RangeError for another class
 */
export async function denoiserOf(className: string, source: ConfigFile, scaleFactor: number): Promise<Denoiser> {
  if (className === UNET) return unetDenoiser(parseUNetConfig(source), scaleFactor);
  const transformer = TRANSFORMER_CLASSES.find((name) => name === className);
  if (!transformer)
    throw new RangeError(`${className} is not a denoiser; expected one of ${DENOISER_CLASSES.join(", ")}`);
  const { TRANSFORMERS } = await import("./transformer-denoisers.js");
  return TRANSFORMERS[transformer](source, scaleFactor);
}
