/** Denoisers by the class of their config. */
import { parseChromaConfig } from "./chroma-config.js";
import { chromaDenoiser } from "./chroma-denoiser.js";
import type { ConfigFile } from "./config.js";
import type { Denoiser } from "./denoiser.js";
import { parseFlux1Config } from "./flux1-config.js";
import { flux1Denoiser } from "./flux1-denoiser.js";
import { parseFlux2Config } from "./flux2-config.js";
import { flux2Denoiser } from "./flux2-denoiser.js";
import { parseSd3Config } from "./sd3-config.js";
import { sd3Denoiser } from "./sd3-denoiser.js";
import { parseUNetConfig } from "./unet-config.js";
import { unetDenoiser } from "./unet-denoiser.js";
import { parseZImageConfig } from "./z-image-config.js";
import { zImageDenoiser } from "./z-image-denoiser.js";

type Make = (source: ConfigFile, scaleFactor: number) => Denoiser;

const DENOISERS: Readonly<Record<string, Make>> = {
  UNet2DConditionModel: (source, scaleFactor) => unetDenoiser(parseUNetConfig(source), scaleFactor),
  FluxTransformer2DModel: (source, scaleFactor) => flux1Denoiser(parseFlux1Config(source), scaleFactor),
  ChromaTransformer2DModel: (source, scaleFactor) => chromaDenoiser(parseChromaConfig(source), scaleFactor),
  Flux2Transformer2DModel: (source, scaleFactor) => flux2Denoiser(parseFlux2Config(source), scaleFactor),
  SD3Transformer2DModel: (source, scaleFactor) => sd3Denoiser(parseSd3Config(source), scaleFactor),
  ZImageTransformer2DModel: (source, scaleFactor) => zImageDenoiser(parseZImageConfig(source), scaleFactor),
};

/** Classes of denoisers. */
export const DENOISER_CLASSES: readonly string[] = Object.keys(DENOISERS);

/**
 * Denoiser of a config.
 * @param scaleFactor VAE scale factor: pixels per latent along each side
 * @throws UnsupportedConfigError naming the key; RangeError for another class
 */
export function denoiserOf(className: string, source: ConfigFile, scaleFactor: number): Denoiser {
  const make = DENOISERS[className];
  if (!make) throw new RangeError(`${className} is not a denoiser; expected one of ${DENOISER_CLASSES.join(", ")}`);
  return make(source, scaleFactor);
}
