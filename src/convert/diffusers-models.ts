/** How a script for diffusers opens the models of a pair: the pipeline with its parts, and the distilled model. */
import path from "node:path";
import { readRecognised } from "../checkpoint/index.js";
import { openFile } from "../checkpoint/node/index.js";
import { FAMILIES } from "../families/index.js";
import { isFolder } from "../files/index.js";
import type { ModelSource } from "../generate/index.js";
import { parseHubReference } from "../hub/index.js";
import { type LookupOptions, resolveReference } from "../lookup/index.js";
import type { PairFiles, PairReference } from "../open/index.js";
import { DISTILLED_LORA } from "./diffusers-adapters.js";
import { autoencoderPart, type ScriptPart, textEncoderParts, unetState } from "./diffusers-parts.js";
import { file, folder, isLocal } from "./diffusers-reference.js";
import { python, text } from "./python.js";
import type { ReadSource } from "./read-source.js";

/** Checkpoints that `from_single_file` opens. */
const ONE_FILE = /\.(safetensors|ckpt)$/i;
const pathOf = ({ path: found, ref }: ModelSource): string => found ?? ref;

/** True if the base is one file, for which diffusers may choose another scheduler than the file's tensors imply. */
export const isOneFile = (base: ModelSource): boolean => ONE_FILE.test(pathOf(base));

/** Lines that open the models of a pair, and lines that select the network of a row. */
export interface Models {
  readonly classes: readonly string[];
  readonly imports: readonly string[];
  readonly load: readonly string[];
  readonly pick: readonly string[];
  /** The distilled model is a LoRA on the pipeline's UNet; null where it does not run. */
  readonly distilled: "unet" | "lora" | null;
  /** The decoder's latents have a mean and a standard deviation. */
  readonly normalised: boolean;
}

type Lines = Pick<Models, "classes" | "imports" | "load">;

/**
 * Models of a script.
 * @param usesDistilled false for a plan that the base runs alone
 * @param named LoRAs are loaded beside the models
 */
export async function modelsOf(
  source: ReadSource,
  reference: PairReference,
  { usesDistilled, named }: { readonly usesDistilled: boolean; readonly named: boolean },
): Promise<Models> {
  const parts = await partsOf(source, reference);
  const pipeline = await pipelineOf(source, parts);
  const distilled = usesDistilled ? await distilledOf(source, named) : ONLY_BASE;
  const load = [...parts.flatMap((part) => part.lines), ...pipeline.load, ...distilled.load];
  const decoder = parts.find(({ name }) => name === "vae") ?? ("located" in source ? source.decoder.component : null);
  return {
    classes: [...parts.flatMap((part) => part.classes), ...pipeline.classes, ...distilled.classes],
    imports: [...new Set([...parts.flatMap((part) => part.imports), ...pipeline.imports, ...distilled.imports])],
    load,
    pick: distilled.pick,
    distilled: distilled.distilled,
    normalised: Array.isArray(decoder?.config["latents_mean"]),
  };
}

/** Parts of the pipeline that the reference names. */
async function partsOf(source: ReadSource, reference: PairReference): Promise<ScriptPart[]> {
  const { textEncoders = [], decoder, modelFolders, variant } = reference;
  const lookup: LookupOptions = { ...(modelFolders && { modelFolders }), ...(variant && { variant }) };
  const known = "located" in source ? source.decoder.component : undefined;
  return [
    ...(await textEncoderParts(textEncoders, lookup, source.family)),
    ...(decoder === undefined ? [] : [await autoencoderPart(decoder, lookup, source.family, known)]),
  ];
}

/** Opens the base: a folder, a Hub id, a checkpoint in one file, or a UNet in one file beside its parts. */
async function pipelineOf(source: ReadSource, parts: readonly ScriptPart[]): Promise<Lines> {
  const { base, family } = source;
  const location = pathOf(base);
  const given = parts.map(({ name }) => `${name}=${name}, `).join("");
  const end = `${given}torch_dtype=torch.float32).to(device)`;
  if (!ONE_FILE.test(location)) {
    const load = [`pipe = DiffusionPipeline.from_pretrained(${folder(location)}, ${end}`];
    return { classes: ["DiffusionPipeline"], imports: [], load };
  }
  const className = FAMILIES[family].pipeline;
  const local = isLocal(location);
  const alone = "located" in source && (await readRecognised(await openFile(source.located.base.path))).recognised;
  if (alone && alone.kind === "unet") return pipelineOfUNet(source, className, given);
  const { id = location, revision = "main", path: place = "" } = (local ? null : parseHubReference(location)) ?? {};
  const from = local
    ? path.resolve(resolveReference(location))
    : `https://huggingface.co/${id}/blob/${revision}/${place}`;
  return { classes: [className], imports: [], load: [`pipe = ${className}.from_single_file(${text(from)}, ${end}`] };
}

/** A pipeline around a UNet in one file. The tokenizers of all families have CLIP's vocabulary. */
async function pipelineOfUNet({ base, family, located }: PairFiles, className: string, given: string): Promise<Lines> {
  const state = await unetState(pathOf(base), located.base.path, "unet.config");
  const { textEncoders } = FAMILIES[family];
  const tokenizers = textEncoders.map(({ tokenizer, padding }) => {
    const pads = padding === "!" ? ', pad_token="!"' : "";
    return `${tokenizer} = CLIPTokenizer.from_pretrained("openai/clip-vit-large-patch14"${pads})`;
  });
  const config = base.scheduler.config;
  const scheduler = String(config["_class_name"]);
  const names = [...textEncoders.map(({ tokenizer }) => `${tokenizer}=${tokenizer}`), "unet=unet"].join(", ");
  const checker =
    textEncoders.length > 1 ? "" : ", safety_checker=None, feature_extractor=None, requires_safety_checker=False";
  return {
    classes: [className, scheduler, "UNet2DConditionModel"],
    imports: [...state.imports, "from transformers import CLIPTokenizer"],
    load: [
      ...tokenizers,
      `unet = UNet2DConditionModel.from_config(${python(converted(base.component.config))})`,
      `unet.load_state_dict(${state.code})`,
      `pipe = ${className}(${given}${names}, scheduler=${scheduler}.from_config(${python(config)})${checker}).to(device)`,
    ],
  };
}

/** A UNet's config with one number of layers where all blocks have it, as diffusers' converter reads it. */
function converted(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const layers = config["layers_per_block"];
  if (!Array.isArray(layers) || new Set(layers).size > 1) return config;
  return { ...config, layers_per_block: layers[0] };
}

const ONLY_BASE = { classes: [], imports: [], load: [], pick: ["unet = pipe.unet"], distilled: null };
const PICK = ['unet = distilled if model == "distilled" else pipe.unet'];

/** @param named other LoRAs are loaded beside it, so that one that is the distilled model needs a name */
async function distilledOf(source: ReadSource, named: boolean): Promise<Lines & Pick<Models, "pick" | "distilled">> {
  const { distilled } = source;
  const ref = distilled ? pathOf(distilled) : "";
  const place = "located" in source ? source.located.distilled?.path : undefined;
  const hub = isLocal(ref) ? null : parseHubReference(ref);
  if (!/\.(safetensors|bin|pt|pth|ckpt)$/i.test(hub ? hub.path : ref)) {
    const load = `distilled = UNet2DConditionModel.from_pretrained(${unetFolder(ref)}, torch_dtype=torch.float32).to(device)`;
    return { classes: ["UNet2DConditionModel"], imports: [], load: [load], pick: PICK, distilled: "unet" };
  }
  if (distilled?.isLora ?? /lora/i.test(ref)) {
    const at = hub && hub.revision !== "main" ? `, revision=${text(hub.revision)}` : "";
    const from = hub ? `${text(hub.id)}, weight_name=${text(hub.path)}${at}` : file(ref).code;
    return {
      ...ONLY_BASE,
      load: [`pipe.load_lora_weights(${from}${named ? `, adapter_name=${text(DISTILLED_LORA)}` : ""})`],
      pick: named
        ? ONLY_BASE.pick
        : ['(pipe.enable_lora if model == "distilled" else pipe.disable_lora)()', ...ONLY_BASE.pick],
      distilled: "lora",
    };
  }
  const state = await unetState(ref, place, "distilled.config");
  const width = "located" in source ? source.distilled?.component.config["time_cond_proj_dim"] : undefined;
  const config =
    typeof width === "number" ? `{**pipe.unet.config, "time_cond_proj_dim": ${width}}` : "pipe.unet.config";
  return {
    classes: ["UNet2DConditionModel"],
    imports: state.imports,
    load: [
      `distilled = UNet2DConditionModel.from_config(${config}).to(device)`,
      `distilled.load_state_dict(${state.code})`,
    ],
    pick: PICK,
    distilled: "unet",
  };
}

function unetFolder(ref: string): string {
  const local = isLocal(ref) && isFolder(path.join(resolveReference(ref), "unet"));
  return folder(ref, local ? "unet" : "");
}
