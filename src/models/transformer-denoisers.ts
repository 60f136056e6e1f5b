/** Transformers as denoisers, by the class of their config. Loaded when one is read: pages run UNets, and would load them for nothing. */
import { parseChromaConfig } from "./chroma-config.js";
import { chromaDenoiser } from "./chroma-denoiser.js";
import type { ConfigFile } from "./config.js";
import type { Denoiser } from "./denoiser.js";
import { parseFlux1Config } from "./flux1-config.js";
import { flux1Denoiser } from "./flux1-denoiser.js";
import { parseFlux2Config } from "./flux2-config.js";
import { flux2Denoiser } from "./flux2-denoiser.js";
import { parseQwenImageConfig } from "./qwen-image-config.js";
import { qwenImageDenoiser } from "./qwen-image-denoiser.js";
import { parseSanaConfig } from "./sana-config.js";
import { sanaDenoiser } from "./sana-denoiser.js";
import { parseSd3Config } from "./sd3-config.js";
import { sd3Denoiser } from "./sd3-denoiser.js";
import { parseZImageConfig } from "./z-image-config.js";
import { zImageDenoiser } from "./z-image-denoiser.js";

/** Denoiser of a config. @throws UnsupportedConfigError naming the key */
type Make = (source: ConfigFile, scaleFactor: number) => Denoiser;

export const TRANSFORMERS = {
  FluxTransformer2DModel: (source, scaleFactor) => flux1Denoiser(parseFlux1Config(source), scaleFactor),
  ChromaTransformer2DModel: (source, scaleFactor) => chromaDenoiser(parseChromaConfig(source), scaleFactor),
  Flux2Transformer2DModel: (source, scaleFactor) => flux2Denoiser(parseFlux2Config(source), scaleFactor),
  QwenImageTransformer2DModel: (source, scaleFactor) => qwenImageDenoiser(parseQwenImageConfig(source), scaleFactor),
  SanaTransformer2DModel: (source, scaleFactor) => sanaDenoiser(parseSanaConfig(source), scaleFactor),
  SD3Transformer2DModel: (source, scaleFactor) => sd3Denoiser(parseSd3Config(source), scaleFactor),
  ZImageTransformer2DModel: (source, scaleFactor) => zImageDenoiser(parseZImageConfig(source), scaleFactor),
} as const satisfies Readonly<Record<string, Make>>;
