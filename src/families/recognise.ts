/** Recognises models from the names and shapes of their tensors: a checkpoint, one of its networks, an adapter, or an unsupported family. */
import { FAMILIES, FAMILY_NAMES, type Family, factsOf } from "./families.js";
import { recogniseAdapter, recogniseTextualInversion, type Shapes } from "./recognise-adapter.js";
import { otherFamily } from "./unsupported.js";

/** A recognised model. `about` describes it and `because` states the evidence, both in words; `prefix` is that of the network's names. */
export type Recognised = { readonly about: string; readonly because: string } & (
  | { readonly kind: "checkpoint"; readonly family: Family }
  | {
      readonly kind: "unet";
      readonly family: Family;
      readonly names: "diffusers" | "stability";
      readonly prefix: string;
    }
  | {
      readonly kind: "autoencoder";
      readonly names: "diffusers" | "stability" | "wan" | "efficientvit";
      readonly prefix: string;
    }
  | {
      readonly kind: "tiny autoencoder";
      readonly names: "diffusers" | "taesd";
      readonly half: "encoder" | "decoder" | "both";
    }
  | {
      readonly kind: "text encoder";
      readonly names: "transformers" | "openclip" | "llama.cpp";
      readonly prefix: string;
      readonly width: number;
    }
  | { readonly kind: "adapter" | "textual inversion"; readonly family: Family | null }
  | { readonly kind: "measure" }
  | { readonly kind: "other" }
  | { readonly kind: "unknown" }
);

/** Prefixes of a UNet's names, by tool. */
const UNET_PREFIXES = [
  "model.diffusion_model.",
  "",
  "diffusion_model.",
  "unet.",
  "transformer.",
  "module.",
  "model.",
] as const;
const VAE_PREFIXES = ["first_stage_model.", "", "vae."] as const;
/** Prefixes of a text encoder's names. ComfyUI keeps the prefix of the checkpoint that the encoder was extracted from. */
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

/** Recognises a set of tensors; "unknown", with the first parts of their names, if they match nothing. */
export function recognise(shapes: Shapes): Recognised {
  const keys = [...shapes.keys()];
  return (
    recogniseAdapter(shapes) ??
    recogniseTextualInversion(shapes) ??
    transformer(shapes) ??
    languageModel(shapes) ??
    t5(shapes) ??
    ownAutoencoder(shapes) ??
    other(keys) ??
    whole(keys, shapes) ??
    unet(shapes) ??
    autoencoder(shapes) ??
    tiny(shapes) ??
    measure(keys) ??
    textEncoder(shapes) ?? {
      kind: "unknown",
      about: "an unknown format",
      because: `its tensors begin with ${beginnings(keys)}`,
    }
  );
}

const beginnings = (keys: readonly string[]): string =>
  [...new Set(keys.map((k) => k.split(".")[0] ?? ""))].slice(0, 4).join(", ") || "nothing: there are none";

function other(keys: readonly string[]): Recognised | null {
  const found = otherFamily(keys);
  return found && { kind: "other", about: found.name, because: `it has the tensor ${found.tensor}` };
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

/** Purpose of a UNet by its input channels, where these include more than latents. */
const PURPOSES: Readonly<Record<number, string>> = {
  5: " with depth input (5 channels)",
  7: " for upscaling (7 channels)",
  8: " for image editing (8 channels)",
  9: " for inpainting (9 channels)",
};

/** The first of these prefixes with which a tensor of this name exists. */
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
    return { kind: "other", about: "the UNet of the SDXL refiner", because: "its text conditioning has 1280 features" };
  }
  const entry = shapes.get(`${prefix}${stability === undefined ? "conv_in" : "input_blocks.0.0"}.weight`)?.[1] ?? 0;
  const family = sizes ? "sdxl" : projection?.length === 2 ? "sd2" : "sd1";
  const why = {
    sdxl: "it embeds image sizes and pooled text",
    sd2: "its transformers have linear projections",
    sd1: "its transformers have convolutional projections",
  }[family];
  const because = `${why}${context === undefined ? "" : `; its text conditioning has ${context} features`}; names are ${names === "diffusers" ? "diffusers'" : "Stability's"}`;
  return {
    kind: "unet",
    family,
    names,
    prefix,
    about: `a UNet of ${FAMILIES[family].title}${PURPOSES[entry] ?? ""}`,
    because,
  };
}

/** A transformer of a family; null for a variant that needs more than text. */
function transformer(shapes: Shapes): Recognised | null {
  for (const family of FAMILY_NAMES) {
    const { title, denoiser } = factsOf(family);
    const facts = denoiser.transformer;
    if (!facts) continue;
    const dialects = [
      ["diffusers", facts.marks.diffusers, "diffusers"],
      ["stability", facts.marks.other, facts.tools],
    ] as const;
    for (const [names, marks, tool] of dialects) {
      const prefix = UNET_PREFIXES.find((p) => marks.every((mark) => shapes.has(`${p}${mark}`)));
      if (prefix === undefined) continue;
      if ([...shapes.keys()].some((key) => facts.variants.test(key))) return null;
      const entry = facts.inputs?.layers[names === "diffusers" ? 0 : 1];
      const features = shapes.get(`${prefix}${entry}.weight`)?.[1] ?? 0;
      const variant = facts.inputs?.variants[features];
      if (variant) return { kind: "other", about: variant, because: `an image token has ${features} features` };
      return {
        kind: "unet",
        family,
        names,
        prefix,
        about: `a transformer of ${title}`,
        because: `it has the tensor ${prefix}${marks[0]}; names are ${possessive(tool)}`,
      };
    }
  }
  return null;
}

const possessive = (name: string): string => (name.endsWith("s") ? `${name}'` : `${name}'s`);

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
    about: `an autoencoder (AutoencoderKL) with ${channels ?? "an unknown number of"} latent channels${channels === 16 ? ", as in FLUX and Stable Diffusion 3" : ""}`,
    because: `it has ${prefix}decoder.${names === "stability" ? "up.0.block" : "up_blocks.0.resnets"}`,
  };
}

/** Tensors of autoencoders that are no AutoencoderKL: Wan's for video, of which Qwen-Image's is a finetune (later ones of Wan have other layers), and SANA's. */
const WAN = "an autoencoder of Qwen-Image or Wan 2.1";
const DEEP = "a deep compression autoencoder, as SANA has";
const OWN_AUTOENCODERS = [
  [WAN, "wan", ["decoder.middle.0.residual.0.gamma", "decoder.upsamples.0.residual.2.weight"]],
  [WAN, "diffusers", ["decoder.mid_block.resnets.0.norm1.gamma", "decoder.up_blocks.0.resnets.0.conv1.weight"]],
  [DEEP, "efficientvit", ["decoder.project_out.op_list.0.weight", "encoder.project_in.conv.weight"]],
  [DEEP, "diffusers", ["decoder.up_blocks.0.0.conv.weight", "decoder.up_blocks.0.1.conv1.weight"]],
] as const;

function ownAutoencoder(shapes: Shapes): Recognised | null {
  for (const [about, names, marks] of OWN_AUTOENCODERS) {
    const prefix = VAE_PREFIXES.find((p) => marks.every((mark) => shapes.has(`${p}${mark}`)));
    if (prefix === undefined) continue;
    return { kind: "autoencoder", names, prefix, about, because: `it has the tensor ${prefix}${marks[0]}` };
  }
  return null;
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
      because: "it has encoder.layers or decoder.layers, as in diffusers",
    };
  }
  // A Sequential: the decoder's first layer is a clamp without weights; the encoder's second layer is a block.
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
      because: `its layer numbers are those of TAESD's own ${half} files`,
    }
  );
}

/** Networks for evaluation. */
function measure(keys: readonly string[]): Recognised | null {
  const has = (start: string) => keys.some((k) => k.startsWith(start));
  if (has("vision_model.") && has("text_model.")) {
    return {
      kind: "measure",
      about: "a CLIPModel, for image and text features (--clip)",
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

/** Prefixes of a language model's names, by tool. */
const LANGUAGE_PREFIXES = [
  "model.",
  "",
  "model.language_model.",
  "text_encoders.qwen3_4b.transformer.model.",
  "text_encoders.qwen3_8b.transformer.model.",
  "text_encoders.qwen25_7b.transformer.model.",
  "text_encoders.gemma2_2b.transformer.model.",
  "text_encoder.model.",
] as const;

/** Norms around the feed-forward layers, which of these models only Gemma's have; Gemma 3 has norms of heads too. */
const GEMMA = ["layers.0.pre_feedforward_layernorm.weight", "blk.0.post_ffw_norm.weight"] as const;

function languageModel(shapes: Shapes): Recognised | null {
  const third = ["layers.0.self_attn.q_norm.weight", "blk.0.attn_q_norm.weight"];
  for (const mark of GEMMA) {
    const prefix = prefixOf(shapes, LANGUAGE_PREFIXES, mark);
    if (prefix !== undefined && third.some((name) => shapes.has(`${prefix}${name}`))) return null;
  }
  const dialects = [
    ["Gemma 2", "transformers", GEMMA[0], "embed_tokens.weight"],
    ["Gemma 2", "llama.cpp", GEMMA[1], "token_embd.weight"],
    ["Qwen3", "transformers", "layers.0.self_attn.q_norm.weight", "embed_tokens.weight"],
    ["Qwen3", "llama.cpp", "blk.0.attn_q_norm.weight", "token_embd.weight"],
    // Among models of this size only Qwen's have biases there.
    ["Qwen2.5", "transformers", "layers.0.self_attn.q_proj.bias", "embed_tokens.weight"],
    ["Qwen2.5", "llama.cpp", "blk.0.attn_q.bias", "token_embd.weight"],
  ] as const;
  for (const [model, names, mark, table] of dialects) {
    const prefix = prefixOf(shapes, LANGUAGE_PREFIXES, mark);
    const width = shapes.get(`${prefix}${table}`)?.[1];
    if (prefix === undefined || width === undefined) continue;
    const about = `${model} with ${width} features, a text encoder`;
    return { kind: "text encoder", names, prefix, width, about, because: `it has the tensor ${prefix}${mark}` };
  }
  return null;
}

/** Prefixes of T5's names, by tool. */
const T5_PREFIXES = [
  "",
  "text_encoders.t5xxl.transformer.",
  "t5xxl.transformer.",
  "text_encoder_2.",
  "transformer.",
] as const;

/** The encoder of T5 1.1, whose feed-forward network is gated, without a decoder. */
function t5(shapes: Shapes): Recognised | null {
  const dialects = [
    [
      "transformers",
      "encoder.block.0.layer.1.DenseReluDense.wi_1.weight",
      ["shared.weight", "encoder.embed_tokens.weight"],
    ],
    ["llama.cpp", "enc.blk.0.ffn_gate.weight", ["token_embd.weight"]],
  ] as const;
  for (const [names, mark, tables] of dialects) {
    const prefix = prefixOf(shapes, T5_PREFIXES, mark);
    if (prefix === undefined || shapes.has(`${prefix}decoder.block.0.layer.0.SelfAttention.q.weight`)) continue;
    const width = tables.flatMap((table) => shapes.get(`${prefix}${table}`)?.[1] ?? [])[0];
    if (width === undefined) continue;
    const about = `T5 with ${width} features, a text encoder`;
    return { kind: "text encoder", names, prefix, width, about, because: `it has the tensor ${prefix}${mark}` };
  }
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
      because: `its token embeddings have ${width} features; names are ${names === "openclip" ? "OpenCLIP's" : "transformers'"}`,
    };
  }
  return null;
}

const CLIPS: Readonly<Record<number, string>> = {
  768: "CLIP ViT-L's text encoder, of Stable Diffusion 1.x and first of XL",
  1024: "OpenCLIP ViT-H's text encoder, of Stable Diffusion 2.x",
  1280: "OpenCLIP ViT-bigG's text encoder, second of Stable Diffusion XL",
};
