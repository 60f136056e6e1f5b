/**
 * How a script for diffusers opens single networks: from folders, and from files with the names of diffusers, transformers, Stability,
 * OpenCLIP or TAESD. Reads headers of files, to know which names they have.
 */
import path from "node:path";
import { type Component, readAutoencoder, readRecognised, readTextEncoder } from "../checkpoint/index.js";
import { autoencoderFolder, openComponentFolder, openFile } from "../checkpoint/node/index.js";
import { FAMILIES, type Family, factsOf, type Recognised } from "../families/index.js";
import { isFolder } from "../files/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import { type Expression, file, folder, isLocal } from "./diffusers-reference.js";
import { python } from "./python.js";

/** Lines of a script that open a network. */
export interface ScriptPart {
  /** Variable of the network: the name of its component in the pipeline. */
  readonly name: string;
  /** Names to import from diffusers. */
  readonly classes: readonly string[];
  readonly imports: readonly string[];
  readonly lines: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
}

/** Function of a script that reads the tensors under a prefix of a file. */
export const WEIGHTS_LINES = [
  'def weights(file, prefix=""):  # tensors under a prefix',
  '    state = load_file(file) if file.endswith(".safetensors") else torch.load(file, weights_only=True)',
  '    state = state.get("state_dict", state)',
  "    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}",
  "",
  "",
];
const LOAD_FILE = "from safetensors.torch import load_file";
const converter = (name: string) => `from diffusers.loaders.single_file_utils import ${name}`;

/** A file with its location on this machine. Models of other programs' folders are named by their paths. */
async function located(ref: string, kind: "autoencoder" | "text encoder", lookup: LookupOptions) {
  const place = await locate(ref, kind, lookup);
  return { place, named: (lookup.modelFolders?.length ?? 0) > 0 && !isLocal(ref) ? place : ref };
}

const recognisedIn = async (place: string): Promise<Recognised> =>
  (await readRecognised(await openFile(place))).recognised;

/** State dict of a file's tensors under one prefix, with another before them. */
function prefixed({ code }: Expression, prefix: string, wanted: string): string {
  if (prefix === wanted && wanted === "") return `weights(${code})`;
  const own = `weights(${code}${prefix === "" ? "" : `, ${python(prefix)}`})`;
  return wanted === "" ? own : `{f"${wanted}{key}": tensor for key, tensor in ${own}.items()}`;
}

/** State dict of the UNet in a file, in diffusers' names. `place` is where the file lies, if that is known. */
export async function unetState(ref: string, place: string | undefined, config: string): Promise<Expression> {
  const where = file(ref);
  const found = place === undefined ? null : await recognisedIn(place);
  const { names, prefix } =
    found?.kind === "unet"
      ? found
      : found?.kind === "checkpoint"
        ? { names: "stability", prefix: "model.diffusion_model." }
        : { names: "diffusers", prefix: "" };
  if (names === "diffusers") return { code: prefixed(where, prefix, ""), imports: [LOAD_FILE, ...where.imports] };
  return {
    code: `convert_ldm_unet_checkpoint(${prefixed(where, prefix, "model.diffusion_model.")}, ${config})`,
    imports: [LOAD_FILE, converter("convert_ldm_unet_checkpoint"), ...where.imports],
  };
}

/** An autoencoder. @param known its component, where it has been read */
export async function autoencoderPart(
  ref: string,
  lookup: LookupOptions,
  family: Family,
  known: Component | undefined,
): Promise<ScriptPart> {
  const { place, named } = await located(ref, "autoencoder", lookup);
  if (isFolder(place)) {
    const own = await autoencoderFolder(place);
    const { className, config } = await openComponentFolder(own);
    const from = folder(named, path.relative(place, own));
    return {
      ...{ name: "vae", classes: [className], imports: [], config },
      lines: [`vae = ${className}.from_pretrained(${from}, torch_dtype=torch.float32)`],
    };
  }
  const { className, config } = known ?? (await readAutoencoder(await openFile(place), factsOf(family).latents));
  const { code, imports } = autoencoderLines(file(named), await recognisedIn(place));
  return {
    ...{ name: "vae", classes: [className], imports: [LOAD_FILE, ...imports], config },
    lines: [`vae = ${className}.from_config(${python(config)})`, ...code],
  };
}

/** Lines that load an autoencoder's weights. The encoder, which is not used, may be missing. */
function autoencoderLines(where: Expression, found: Recognised): { code: string[]; imports: string[] } {
  if (found.kind === "tiny autoencoder" && found.names === "taesd") {
    return {
      code: [
        `layers = (key.split(".", 1) + [tensor] for key, tensor in weights(${where.code}).items())`,
        'vae.decoder.load_state_dict({f"layers.{int(layer) - 1}.{rest}": tensor for layer, rest, tensor in layers})',
      ],
      imports: [...where.imports],
    };
  }
  if (found.kind === "tiny autoencoder") {
    return { code: [`vae.decoder.load_state_dict(weights(${where.code}, "decoder."))`], imports: [...where.imports] };
  }
  const { names, prefix } =
    found.kind === "autoencoder" ? found : ({ names: "stability", prefix: "first_stage_model." } as const);
  const stability = names === "stability";
  const state = stability
    ? `convert_ldm_vae_checkpoint(${prefixed(where, prefix, "first_stage_model.")}, vae.config)`
    : prefixed(where, prefix, "");
  return {
    code: [
      `missing, unexpected = vae.load_state_dict(${state}, strict=False)`,
      'assert not unexpected and all(key.startswith(("encoder.", "quant_conv.")) for key in missing), missing',
    ],
    imports: [...where.imports, ...(stability ? [converter("convert_ldm_vae_checkpoint")] : [])],
  };
}

/** Text encoders of a pipeline. The narrower one comes first, as in SDXL. */
export async function textEncoderParts(
  refs: readonly string[],
  lookup: LookupOptions,
  family: Family,
): Promise<ScriptPart[]> {
  const opened = await Promise.all(refs.map((ref) => textEncoder(ref, lookup, family)));
  const width = ({ config }: TextEncoder) => Number(config["hidden_size"]);
  return opened
    .toSorted((a, b) => width(a) - width(b))
    .map(({ lines, ...part }, i) => {
      const name = FAMILIES[family].textEncoders[i]?.component ?? "text_encoder";
      return { ...part, name, lines: lines(name) };
    });
}

/** A text encoder whose place in the pipeline is not known yet. */
type TextEncoder = Omit<ScriptPart, "name" | "lines"> & { readonly lines: (name: string) => string[] };

async function textEncoder(ref: string, lookup: LookupOptions, family: Family): Promise<TextEncoder> {
  const { place, named } = await located(ref, "text encoder", lookup);
  if (isFolder(place)) {
    const { className, config } = await openComponentFolder(place);
    return {
      ...{ classes: [], imports: [`from transformers import ${className}`], config },
      lines: (name) => [`${name} = ${className}.from_pretrained(${folder(named)}, torch_dtype=torch.float32)`],
    };
  }
  const { className, config } = await readTextEncoder(await openFile(place), "text_encoder", family);
  const found = await recognisedIn(place);
  const { names, prefix } = found.kind === "text encoder" ? found : { names: "transformers", prefix: "" };
  const where = file(named);
  const isOpenClip = names === "openclip";
  const { _class_name: _, ...fields } = config;
  return {
    ...{ classes: [], config },
    imports: [
      LOAD_FILE,
      `from transformers import CLIPTextConfig, ${className}`,
      ...(isOpenClip ? [converter("convert_open_clip_checkpoint")] : []),
      ...where.imports,
    ],
    lines: (name) => [
      `${name} = ${className}(CLIPTextConfig(**${python(fields)}))`,
      `state = ${isOpenClip ? `convert_open_clip_checkpoint(${name}, weights(${where.code}), ${python(prefix)})` : prefixed(where, prefix, "")}`,
      `if not hasattr(${name}, "text_model"):  # CLIPTextModel of transformers 5.6 and later`,
      '    state = {key.removeprefix("text_model."): tensor for key, tensor in state.items()}',
      `missing, _ = ${name}.load_state_dict(state, strict=False)`,
      "assert not missing, missing",
    ],
  };
}

/** The end of every script: generates each prompt and seed, and saves the images as NUMBER-SEED.png. */
export const SAVE_LINES: readonly string[] = [
  "",
  "",
  "latents = {}",
  "for number, prompt in enumerate(prompts):",
  "    for seed in seeds:",
  "        latents[number, seed], image = generate(prompt, seed)",
  '        image.save(f"{number}-{seed}.png")',
];
