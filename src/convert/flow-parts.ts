/** Parts that the scripts of flow matching families share: how the distilled model is opened, and what is refused. */
import path from "node:path";
import { RequestError } from "../errors.js";
import { factsOf } from "../families/index.js";
import { isFolder } from "../files/index.js";
import type { ModelSource, PlanSource } from "../generate/index.js";
import { resolveReference } from "../lookup/index.js";
import type { PairReference } from "../open/index.js";
import { file, folder, isLocal } from "./diffusers-reference.js";

const FILE = /\.(safetensors|sft|gguf|bin|pt|pth|ckpt)$/i;

/** Place of a model: its path where it is on this machine. */
export const pathOf = ({ path: found, ref }: ModelSource): string => found ?? ref;

/** @throws RequestError */
export const refuse = (problem: string, field?: string): never => {
  throw new RequestError(`--as diffusers: ${problem}`, field === undefined ? {} : { field });
};

/** @throws RequestError for text encoders and textual inversions */
export function checkReference({ textEncoders = [], embeddings = [] }: PairReference): void {
  if (textEncoders.length > 0) refuse("scripts for this family take the base's text encoder", "textEncoders");
  if (embeddings.length > 0) refuse("textual inversions are CLIP's", "embeddings");
}

/** Expression that gives the distilled model's transformer: opened, or the base's where it is a LoRA, whose file is `file`. */
export interface Distilled {
  readonly lora: boolean;
  readonly file: string;
  readonly classes: readonly string[];
  readonly imports: readonly string[];
  readonly load: string;
}

export function distilledOf({ family, base }: PlanSource, { isLora, ...distilled }: ModelSource): Distilled {
  const { className } = factsOf(family).denoiser;
  const ref = pathOf(distilled);
  if (isLora ?? /lora/i.test(ref)) {
    const { code, imports } = file(ref);
    return { lora: true, file: code, classes: [], imports, load: "pipe.transformer" };
  }
  const end = "torch_dtype=torch.float32).to(device)";
  if (FILE.test(ref)) {
    const { code, imports } = file(ref);
    const load = `${className}.from_single_file(${code}, config=${folder(pathOf(base)).split(", ")[0]}, subfolder="transformer", ${end}`;
    return { lora: false, file: code, classes: [className], imports, load };
  }
  const local = isLocal(ref);
  const inside = local && !isFolder(path.join(resolveReference(ref), "transformer")) ? "" : "transformer";
  const load = `${className}.from_pretrained(${folder(ref, inside)}, ${end}`;
  return { lora: false, file: "", classes: [className], imports: [], load };
}
