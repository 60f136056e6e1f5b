/** What a set of tensors is, told from their names and shapes alone, whatever file they come in: a whole checkpoint, one of its networks, an adapter, or a family that is not drawn here. */
import { FAMILIES, FAMILY_NAMES, type Family } from "./families.js";
import { otherFamily } from "./unsupported.js";

/** Names of tensors with their shapes. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** What a file is. `prefix` stands before the names of the network; `because` says what told. */
export type Recognised = { readonly about: string; readonly because: string } & (
  | { readonly kind: "checkpoint"; readonly family: Family }
  | {
      readonly kind: "unet";
      readonly family: Family;
      readonly names: "diffusers" | "stability";
      readonly prefix: string;
    }
  | { readonly kind: "autoencoder"; readonly names: "diffusers" | "stability"; readonly prefix: string }
  | {
      readonly kind: "tiny autoencoder";
      readonly names: "diffusers" | "taesd";
      readonly half: "encoder" | "decoder" | "both";
    }
  | {
      readonly kind: "text encoder";
      readonly names: "transformers" | "openclip";
      readonly prefix: string;
      readonly width: number;
    }
  | { readonly kind: "adapter"; readonly family: Family | null }
  | { readonly kind: "learned word"; readonly family: Family | null }
  | { readonly kind: "measure" }
  | { readonly kind: "other" }
  | { readonly kind: "unknown" }
);

/** Where tools put a UNet's names. */
const UNET_PREFIXES = ["model.diffusion_model.", "", "diffusion_model.", "unet.", "module.", "model."] as const;
const VAE_PREFIXES = ["first_stage_model.", "", "vae."] as const;
/** Where a text encoder's names are put, by its own and by ComfyUI, which keeps the tree of the model it was cut from. */
const CLIP_PREFIXES = [
  "",
  "cond_stage_model.transformer.",
  "cond_stage_model.model.",
  "conditioner.embedders.0.transformer.",
  "conditioner.embedders.1.model.",
  "text_encoders.clip_l.transformer.",
  "text_encoders.clip_g.transformer.",
  "clip_l.transformer.",
  "clip_g.transformer.",
  "transformer.",
  "text_encoder.",
] as const;

/** Keys that only adapter files have. */
const ADAPTER = /lora[._](down|up|A|B)\b|hada_|lokr_|_lora\.|dora_scale|\.alpha$|\.diff(_b)?$/;

/** Whether the names are an adapter's and not a network's. */
export const isAdapterFile = (keys: Iterable<string>): boolean => {
  for (const key of keys) if (ADAPTER.test(key)) return true;
  return false;
};

/** The family whose cross-attention reads text of so many features. */
export const familyByText = (features: number): Family | null =>
  FAMILY_NAMES.find((family) => FAMILIES[family].text.features === features) ?? null;
/** The first family with a text encoder of this width; the width of SDXL's first encoder names Stable Diffusion 1.x. */
const familyByWidth = (width: number): Family | null =>
  FAMILY_NAMES.find((family) => FAMILIES[family].textEncoders.some((e) => e.width === width)) ?? null;

/** Tells what tensors are. Never fails: what nobody knows is "unknown", with how its names begin. */
export function recognise(shapes: Shapes): Recognised {
  const keys = [...shapes.keys()];
  return (
    adapter(keys, shapes) ??
    textualInversion(shapes) ??
    other(keys) ??
    whole(keys, shapes) ??
    unet(shapes) ??
    autoencoder(shapes) ??
    tiny(shapes) ??
    measure(keys) ??
    textEncoder(shapes) ?? {
      kind: "unknown",
      about: "nothing that is known",
      because: `its tensors begin with ${beginnings(keys)}`,
    }
  );
}

const beginnings = (keys: readonly string[]): string =>
  [...new Set(keys.map((k) => k.split(".")[0] ?? ""))].slice(0, 4).join(", ") || "nothing: it holds none";

function other(keys: readonly string[]): Recognised | null {
  const found = otherFamily(keys);
  return found && { kind: "other", about: `${found.name}, by its names`, because: `${found.tensor} is there` };
}

function whole(keys: readonly string[], shapes: Shapes): Recognised | null {
  const start = (prefix: string) => keys.find((k) => k.startsWith(prefix));
  if (!shapes.has("model.diffusion_model.input_blocks.0.0.weight")) return null;
  const family = FAMILY_NAMES.find((name) => FAMILIES[name].textEncoders.every((e) => start(e.singleFile.prefix)));
  if (!family) return null;
  const encoders = FAMILIES[family].textEncoders.map((e) => e.about);
  const why = `its text encoder${encoders.length > 1 ? "s are" : " is"} ${encoders.join(" and ")}`;
  const channels = shapes.get("model.diffusion_model.input_blocks.0.0.weight")?.[1] ?? 0;
  const purpose = PURPOSES[channels] ?? "";
  return { kind: "checkpoint", family, about: `${FAMILIES[family].title}${purpose}`, because: why };
}

/** What a UNet that takes so many channels is for, where it takes more than latents. */
const PURPOSES: Readonly<Record<number, string>> = {
  5: " that is shown depth (5 channels)",
  7: " that enlarges (7 channels)",
  8: " that edits pictures (8 channels)",
  9: " for inpainting (9 channels)",
};

/** The first of these prefixes under which a tensor of this name stands. */
const prefixOf = (shapes: Shapes, prefixes: readonly string[], name: string): string | undefined =>
  prefixes.find((p) => shapes.has(`${p}${name}`));

function unet(shapes: Shapes): Recognised | null {
  const stability = prefixOf(shapes, UNET_PREFIXES, "input_blocks.0.0.weight");
  const diffusers = prefixOf(shapes, UNET_PREFIXES, "down_blocks.0.resnets.0.conv1.weight");
  const prefix = stability ?? diffusers;
  if (
    prefix === undefined ||
    !shapes.has(`${prefix}${stability === undefined ? "time_embedding.linear_1.weight" : "time_embed.0.weight"}`)
  )
    return null;
  const names = stability === undefined ? "diffusers" : "stability";
  const sizes = [`${prefix}label_emb.0.0.weight`, `${prefix}add_embedding.linear_1.weight`].some((k) => shapes.has(k));
  const projection = [...shapes].find(([k]) => k.startsWith(prefix) && k.endsWith(".proj_in.weight"))?.[1];
  const context = [...shapes].find(([k]) => k.startsWith(prefix) && k.endsWith(".attn2.to_k.weight"))?.[1][1];
  if (sizes && context === 1280) {
    return { kind: "other", about: "the UNet of the SDXL refiner", because: "its text has 1280 features" };
  }
  const entry = shapes.get(`${prefix}${stability === undefined ? "conv_in" : "input_blocks.0.0"}.weight`)?.[1] ?? 0;
  const family = sizes ? "sdxl" : projection?.length === 2 ? "sd2" : "sd1";
  const why = {
    sdxl: "it is given sizes and pooled text beside the timestep",
    sd2: "its transformers project linearly",
    sd1: "its transformers project by convolutions",
  }[family];
  const because = `${why}${context === undefined ? "" : `; its text has ${context} features`}; names as ${names === "diffusers" ? "diffusers" : "Stability"} writes them`;
  return {
    kind: "unet",
    family,
    names,
    prefix,
    about: `a UNet of ${FAMILIES[family].title}${PURPOSES[entry] ?? ""}`,
    because,
  };
}

function autoencoder(shapes: Shapes): Recognised | null {
  const stability = prefixOf(shapes, VAE_PREFIXES, "decoder.up.0.block.0.conv1.weight");
  const prefix = stability ?? prefixOf(shapes, VAE_PREFIXES, "decoder.up_blocks.0.resnets.0.conv1.weight");
  if (prefix === undefined) return null;
  const names = stability === undefined ? "diffusers" : "stability";
  const channels = shapes.get(`${prefix}decoder.conv_in.weight`)?.[1];
  return {
    kind: "autoencoder",
    names,
    prefix,
    about: `an autoencoder (AutoencoderKL) of ${channels ?? "unknown"} latent channels${channels === 16 ? ", as FLUX and Stable Diffusion 3 have" : ""}`,
    because: `it has ${prefix}decoder.${names === "stability" ? "up.0.block" : "up_blocks.0.resnets"}`,
  };
}

function tiny(shapes: Shapes): Recognised | null {
  const has = (key: string) => shapes.has(key);
  if (has("decoder.layers.0.weight") || has("encoder.layers.0.weight")) {
    const half = !has("encoder.layers.0.weight") ? "decoder" : has("decoder.layers.0.weight") ? "both" : "encoder";
    return {
      kind: "tiny autoencoder",
      names: "diffusers",
      half,
      about: "a TAESD (AutoencoderTiny)",
      because: "it has encoder.layers and decoder.layers as diffusers writes them",
    };
  }
  // A Sequential: the decoder's first layer bends its input and has no weights; the encoder's second is a block.
  const half =
    has("1.weight") && has("3.conv.0.weight")
      ? "decoder"
      : has("0.weight") && has("1.conv.0.weight")
        ? "encoder"
        : null;
  return (
    half && {
      kind: "tiny autoencoder",
      names: "taesd",
      half,
      about: `a TAESD's ${half}`,
      because: `its layers are numbered as in TAESD's own ${half} files`,
    }
  );
}

/** Networks that measure pictures. */
function measure(keys: readonly string[]): Recognised | null {
  const has = (start: string) => keys.some((k) => k.startsWith(start));
  if (has("vision_model.") && has("text_model.")) {
    return {
      kind: "measure",
      about: "a whole CLIP (CLIPModel), which measures pictures (--clip)",
      because: "it has text_model and vision_model",
    };
  }
  if (has("vision_model.") || has("visual.transformer.")) {
    return {
      kind: "measure",
      about: "CLIP's image tower",
      because: `it has ${has("visual.") ? "visual" : "vision_model"}`,
    };
  }
  if (has("Mixed_5b.") || has("layers.mixed"))
    return { kind: "measure", about: "Inception v3 (--inception)", because: "it has Mixed_5b" };
  return null;
}

function textEncoder(shapes: Shapes): Recognised | null {
  const tables = [
    ["transformers", "text_model.embeddings.token_embedding.weight"],
    ["openclip", "token_embedding.weight"],
    ["transformers", "embeddings.token_embedding.weight"],
  ] as const;
  for (const [names, table] of tables) {
    const prefix = prefixOf(shapes, CLIP_PREFIXES, table);
    if (prefix === undefined) continue;
    const width = shapes.get(`${prefix}${table}`)?.[1] ?? 0;
    const which = CLIPS[width] ?? "a CLIP text encoder";
    return {
      kind: "text encoder",
      names,
      prefix,
      width,
      about: which,
      because: `its words have ${width} features; names as ${names === "openclip" ? "OpenCLIP" : "transformers"} writes them`,
    };
  }
  return null;
}

const CLIPS: Readonly<Record<number, string>> = {
  768: "CLIP ViT-L's text encoder, of Stable Diffusion 1.x and first of XL",
  1024: "OpenCLIP ViT-H's text encoder, of Stable Diffusion 2.x",
  1280: "OpenCLIP ViT-bigG's text encoder, second of Stable Diffusion XL",
};

/** Underscored beginnings of kohya's keys, for families with other layers. */
const OTHER_ADAPTERS: readonly (readonly [RegExp, string])[] = [
  [/^(lora_unet|lycoris)_(double|single)_blocks_/, "FLUX.1"],
  [/^(lora_unet|lycoris)_joint_blocks_/, "Stable Diffusion 3"],
  [/^(lora_unet|lycoris)_blocks_\d+_(self|cross)_attn_/, "Wan"],
  [/^(lora_unet|lycoris)_transformer_blocks_\d+_img_m/, "Qwen-Image"],
];

function adapter(keys: readonly string[], shapes: Shapes): Recognised | null {
  const first = keys.find((k) => ADAPTER.test(k));
  if (first === undefined) return null;
  const stranger = OTHER_ADAPTERS.find(([p]) => keys.some((k) => p.test(k)))?.[1] ?? otherFamily(keys)?.name;
  if (stranger) {
    return { kind: "other", about: `an adapter for ${stranger}`, because: `${first} is there` };
  }
  const reads = [...shapes].find(([k]) =>
    /attn2[._](processor\.)?to_[kv]([._]lora)?\.(lora_down|down|lora_A|lora\.down|lora_A\.default|hada_w1_b)(\.weight)?$/.test(
      k,
    ),
  );
  const width = reads?.[1][1];
  const family = width === undefined ? null : familyByText(width);
  return {
    kind: "adapter",
    family,
    about: family ? `an adapter for ${FAMILIES[family].title}` : "an adapter",
    because: reads ? `${reads[0]} reads text of ${width} features` : `${first} is there, and nothing that reads text`,
  };
}

/** A learned word: one tensor of vectors, or one for each of SDXL's encoders. */
function textualInversion(shapes: Shapes): Recognised | null {
  const all = [...shapes];
  const both = shapes.get("clip_l") && shapes.get("clip_g");
  const [first] = all;
  const single =
    all.length <= 2 &&
    first &&
    !first[0].endsWith(".weight") &&
    first[1].length <= 2 &&
    (familyByWidth(first[1].at(-1) ?? 0) || ["*", "emb_params"].includes(first[0]));
  if (!both && !single) return null;
  const width = first?.[1].at(-1) ?? 0;
  const family = both ? "sdxl" : familyByWidth(width);
  return {
    kind: "learned word",
    family,
    about: `a learned word (textual inversion)${family ? ` for ${FAMILIES[family].title}` : ""}`,
    because: both ? "it has vectors clip_l and clip_g" : `it has vectors of ${width} numbers (${first?.[0]})`,
  };
}
