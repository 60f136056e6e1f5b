/** How a script for diffusers opens the models of a pair: folders, Hub ids, single files and LoRAs. */
import { existsSync } from "node:fs";
import path from "node:path";
import { FAMILIES } from "../families/index.js";
import type { ModelSource, PlanSource } from "../generate/index.js";
import { parseHubReference } from "../hub/index.js";
import { resolveReference } from "../lookup/index.js";
import { text } from "./python.js";

/** Checkpoints that `from_single_file` opens. */
const ONE_FILE = /\.(safetensors|ckpt)$/i;
const pathOf = ({ path: found, ref }: ModelSource): string => found ?? ref;

/** Pipeline class and the start of the call that opens the base: a folder, a Hub id, or a single-file checkpoint. */
export function pipelineOf({ base, family }: PlanSource): { readonly className: string; readonly open: string } {
  const location = pathOf(base);
  if (!ONE_FILE.test(location)) return { className: "DiffusionPipeline", open: `from_pretrained(${folder(location)}` };
  const className = FAMILIES[family].pipeline;
  if (isLocal(location)) return { className, open: `from_single_file(${text(path.resolve(location))}` };
  const { id = location, revision = "main", path: file = "" } = parseHubReference(location) ?? {};
  return { className, open: `from_single_file(${text(`https://huggingface.co/${id}/blob/${revision}/${file}`)}` };
}

/** True if the base is one file, for which diffusers may choose another scheduler than the file's tensors imply. */
export const isOneFile = (base: ModelSource): boolean => ONE_FILE.test(pathOf(base));

/** Lines that open the networks of a pair, and lines that select the network of a row. */
export interface Models {
  readonly classes: readonly string[];
  readonly imports: readonly string[];
  readonly load: readonly string[];
  readonly pick: readonly string[];
}

export const ONLY_BASE: Models = { classes: [], imports: [], load: [], pick: ["unet = pipe.unet"] };
const PICK = ['unet = distilled if model == "distilled" else pipe.unet'];

export function modelsOf(distilled: ModelSource | null): Models {
  const ref = distilled ? pathOf(distilled) : "";
  const local = isLocal(ref);
  const { id = ref, revision = "main", path: file = "" } = (local ? null : parseHubReference(ref)) ?? {};
  const at = revision === "main" ? "" : `, revision=${text(revision)}`;
  if (!/\.(safetensors|bin|pt|pth|ckpt)$/i.test(local ? ref : file)) {
    const load = `distilled = UNet2DConditionModel.from_pretrained(${unetFolder(ref)}, torch_dtype=torch.float32).to(device)`;
    return { classes: ["UNet2DConditionModel"], imports: [], load: [load], pick: PICK };
  }
  if (distilled?.isLora ?? /lora/i.test(ref)) {
    return {
      ...ONLY_BASE,
      load: [
        `pipe.load_lora_weights(${local ? text(resolveReference(ref)) : `${text(id)}, weight_name=${text(file)}${at}`})`,
      ],
      pick: ['(pipe.enable_lora if model == "distilled" else pipe.disable_lora)()', "unet = pipe.unet"],
    };
  }
  const safe = /\.safetensors$/i.test(local ? ref : file);
  const location = local ? text(resolveReference(ref)) : `hf_hub_download(${text(id)}, ${text(file)}${at})`;
  return {
    classes: ["UNet2DConditionModel"],
    imports: [
      ...(local ? [] : ["from huggingface_hub import hf_hub_download"]),
      ...(safe ? ["from safetensors.torch import load_file"] : []),
    ],
    load: [
      "distilled = UNet2DConditionModel.from_config(pipe.unet.config).to(device)",
      `distilled.load_state_dict(${safe ? `load_file(${location})` : `torch.load(${location}, weights_only=True)`})`,
    ],
    pick: PICK,
  };
}

const isLocal = (ref: string): boolean => existsSync(resolveReference(ref));

function unetFolder(ref: string): string {
  const inside = isLocal(ref) && existsSync(path.join(resolveReference(ref), "unet"));
  return inside ? `${folder(ref)}, subfolder="unet"` : folder(ref);
}

/** Arguments of `from_pretrained`: a folder, or a Hub id with revision and subfolder. */
function folder(ref: string): string {
  if (isLocal(ref)) return text(path.resolve(resolveReference(ref)));
  const { id = ref, revision = "main", path: subfolder = "" } = parseHubReference(ref) ?? {};
  const options = { ...(revision !== "main" && { revision }), ...(subfolder !== "" && { subfolder }) };
  const given = Object.entries(options).map(([key, value]) => `${key}=${text(value)}`);
  return [text(id), ...given].join(", ");
}
