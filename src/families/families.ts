/** Supported model families by name. A family is one file and one entry here. */
import { chroma } from "./chroma.js";
import type { FamilyFacts } from "./family.js";
import { flux1 } from "./flux1.js";
import { flux2 } from "./flux2.js";
import { qwenimage } from "./qwen-image.js";
import { sana } from "./sana.js";
import { sd1 } from "./sd1.js";
import { sd2 } from "./sd2.js";
import { sd3 } from "./sd3.js";
import { sdxl } from "./sdxl.js";
import { zimage } from "./zimage.js";

/** Facts of every supported family. */
export const FAMILIES = {
  sd1,
  sd2,
  sdxl,
  zimage,
  flux2,
  chroma,
  flux1,
  sd3,
  qwenimage,
  sana,
} as const satisfies Readonly<Record<string, FamilyFacts>>;
/** Name of a supported family. */
export type Family = keyof typeof FAMILIES;

/** Names of the supported families, in the order in which recognition tries them. */
export const FAMILY_NAMES = [
  "sd1",
  "sd2",
  "sdxl",
  "zimage",
  "flux2",
  "chroma",
  "flux1",
  "sd3",
  "qwenimage",
  "sana",
] as const satisfies readonly Family[];

/** Folders of a denoiser in a diffusers checkpoint. */
export const DENOISER_FOLDERS: readonly string[] = [
  ...new Set(FAMILY_NAMES.map((name) => FAMILIES[name].denoiser.folder)),
];

/** Facts of a family. */
export const factsOf = (family: Family): FamilyFacts => FAMILIES[family];

const encoders = FAMILY_NAMES.flatMap((name) => FAMILIES[name].textEncoders);
/** Folders of text encoders and of their tokenizers in diffusers checkpoints. */
export const TEXT_ENCODER_FOLDERS = [...new Set(encoders.map(({ component }) => component))];
export const TOKENIZER_FOLDERS = [...new Set(encoders.map(({ tokenizer }) => tokenizer))];
