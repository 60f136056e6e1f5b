/** Recognises adapters and textual inversions from the names and shapes of their tensors. */
import { FAMILIES, FAMILY_NAMES, type Family, factsOf } from "./families.js";
import { otherFamily } from "./unsupported.js";

/** Shapes of tensors by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** A recognised adapter or textual inversion, or one for an unsupported family ("other"). `about` and `because` as in `Recognised`. */
export type RecognisedAddition = { readonly about: string; readonly because: string } & (
  | {
      readonly kind: "adapter" | "textual inversion";
      readonly family: Family | null;
      /** Families whose layers have the same names, where one of them is meant. */
      readonly families?: readonly Family[];
    }
  | { readonly kind: "other" }
);

/** Keys that only adapter files have. */
const ADAPTER =
  /lora[12]?[._](down|up|A|B)\b|lora_embedding_[AB]|hada_|lokr_|_lora\.|dora_scale|\.alpha$|\.diff(_b)?$|\.[wb]_norm$|oft_(blocks|[rR]\b)|boft_|ia3_l|\.on_input$|vera_lambda|hra_u|_custom_diffusion\.weight$|^(lora|lycoris)_\w+\.[ab][12]\.weight$/;

/** True for tensor names of an adapter, not of a network. */
export const isAdapterFile = (keys: Iterable<string>): boolean => {
  for (const key of keys) if (ADAPTER.test(key)) return true;
  return false;
};

/** The family whose text conditioning has this number of features; null where there is none. */
export const familyByText = (features: number): Family | null =>
  FAMILY_NAMES.find((family) => FAMILIES[family].text.features === features) ?? null;

/** Layer names of unsupported families, with "_" for every ".", as adapters of all dialects have them. The first match counts. */
const OTHER_LAYERS: readonly (readonly [RegExp, string])[] = [
  [/(^|_)double_stream_blocks_\d+_/, "HiDream"],
  [/(^|_)(joint_transformer_blocks|double_layers)_\d+_/, "AuraFlow"],
  [/(^|_)blocks_\d+_(self|cross)_attn_|(?<!transformer)(^|_)blocks_\d+_attn[12]_to_/, "Wan"],
  [/(^|_)(noise|context)_refiner_\d+_|(^|_)layers_\d+_adaLN_/, "Lumina"],
  [/(^|_)motion_modules_\d+_/, "AnimateDiff"],
];

/** Layers of FLUX.1 that Chroma does not have: the modulation of each block, and embeddings other than those of text and image. */
const NOT_CHROMA =
  /norm\d?(_context)?_linear|_mod_lin|modulation_lin|(^|_)(time_text_embed|time_in|vector_in|guidance_in)_|norm_out|adaLN/;

/** Layers that FLUX.1, FLUX.2 and Chroma have under these names. */
const FLUX = /(^|_)single_transformer_blocks_\d+_|(^|_)(double|single)_blocks_\d+_/;

/** Transformer blocks outside of a UNet's blocks. */
const TRANSFORMER = /^(lora_|lycoris_)?(unet_|transformer_|diffusion_model_|base_model_model_)*transformer_blocks_\d+_/;
/** Of these the attention in which text and image attend to each other, as diffusers names it in several families. */
const JOINT = new RegExp(`${TRANSFORMER.source}attn_(to_([qkv]|out|add_out)|add_[qkv]_proj)`);
/** Families with `JOINT` layers, which have different widths. */
const JOINED = ["sd3", "flux1", "flux2", "chroma", "qwenimage"] as const satisfies readonly Family[];

const SOME_TRANSFORMER = "a diffusion transformer";

const otherLayer = (keys: readonly string[]): readonly [string, string] | null => {
  const names = keys.map((key) => [key, key.replaceAll(".", "_")] as const);
  for (const [pattern, family] of OTHER_LAYERS) {
    const [key] = names.find(([, name]) => pattern.test(name)) ?? [];
    if (key !== undefined) return [family, key];
  }
  const known = otherFamily(keys);
  if (known) return [known.name, known.tensor];
  const [key] = names.find(([, name]) => TRANSFORMER.test(name)) ?? [];
  return key === undefined ? null : [SOME_TRANSFORMER, key];
};

/** Family whose transformer has a layer that the adapter changes, with its key. */
function ofTransformer(shapes: Shapes): { readonly family: Family; readonly key: string } | null {
  const keys = [...shapes.keys()];
  for (const family of FAMILY_NAMES) {
    const facts = factsOf(family).denoiser.transformer;
    if (!facts) continue;
    const key =
      keys.find((k) => facts.adapters.test(k.replaceAll(".", "_"))) ??
      facts.ratios?.flatMap(({ layer, outputs }) => {
        const mine = [...shapes].filter(([k]) => layer.test(k.replaceAll(".", "_")));
        const size = (role: RegExp, axis: number) => mine.find(([k]) => role.test(k))?.[1][axis] ?? Number.NaN;
        const fits = size(/lora[._](up|B)\b/, 0) === outputs * size(/lora[._](down|A)\b/, 1);
        return fits ? [mine[0]?.[0] ?? ""] : [];
      })[0];
    if (key !== undefined) return { family, key };
  }
  return null;
}

/** Recognises an adapter; null for other tensors. */
export function recogniseAdapter(shapes: Shapes): RecognisedAddition | null {
  const keys = [...shapes.keys()];
  const first = keys.find((k) => ADAPTER.test(k));
  if (first === undefined) return null;
  const own = ofTransformer(shapes);
  const blocks = (name: string) => name.replaceAll(".", "_");
  const isChroma = !keys.some((key) => NOT_CHROMA.test(blocks(key)));
  if (own?.family === "flux1" && isChroma) {
    const because = `it has the tensor ${own.key}, and no modulation of a block, which only FLUX.1 has`;
    const about = "an adapter for FLUX.1 or Chroma";
    return { kind: "adapter", family: null, families: ["flux1", "chroma"], about, because };
  }
  if (own) {
    const about = `an adapter for ${factsOf(own.family).title}`;
    return { kind: "adapter", family: own.family, about, because: `it has the tensor ${own.key}` };
  }
  const other = otherLayer(keys);
  const either = keys.find((key) => FLUX.test(blocks(key)));
  if (either !== undefined && (!other || other[0].includes("FLUX"))) {
    return {
      kind: "adapter",
      family: null,
      families: ["flux1", "flux2", ...(isChroma ? (["chroma"] as const) : [])],
      about: `an adapter for FLUX.1${isChroma ? ", FLUX.2 or Chroma" : " or FLUX.2"}`,
      because: `it has the tensor ${either}, which ${isChroma ? "all" : "both"} have`,
    };
  }
  const joint = keys.find((key) => JOINT.test(blocks(key)));
  if (joint !== undefined && other?.[0] === SOME_TRANSFORMER) {
    return {
      kind: "adapter",
      family: null,
      families: JOINED,
      about: "an adapter for Stable Diffusion 3, FLUX.1, FLUX.2, Chroma or Qwen-Image",
      because: `it has the tensor ${joint}, which all have`,
    };
  }
  if (other) {
    return {
      kind: "other",
      about: `an adapter for ${other[0]}`,
      because: `it has the tensor ${other[1]}`,
    };
  }
  const reads = textFeatures(shapes);
  if (reads?.features === REFINER) {
    return { kind: "other", about: "an adapter for the SDXL refiner", because: readsText(reads) };
  }
  const byText = reads && familyByText(reads.features);
  const xl = byText ? undefined : keys.find((key) => XL_LAYER.test(key.replaceAll(".", "_")));
  const family = byText ?? (xl === undefined ? null : "sdxl");
  const because =
    xl !== undefined
      ? `it has the tensor ${xl}`
      : reads
        ? readsText(reads)
        : `it has the tensor ${first}, and none on a layer that reads text`;
  return {
    kind: "adapter",
    family,
    about: family ? `an adapter for ${FAMILIES[family].title}` : "an adapter",
    because,
  };
}

/** Text features of the SDXL refiner, which has the names of SDXL's UNet. */
const REFINER = 1280;

/** Layers that only Stable Diffusion XL has: a second text encoder, and more than one transformer block in a transformer. */
const XL_LAYER =
  /^(lora_)?(te2|text_encoder_2|clip_g|text_encoders_clip_g)_|(down_blocks|input_blocks|mid_block|middle_block|up_blocks|output_blocks)\w*_transformer_blocks_[1-9]/;

interface TextFeatures {
  readonly key: string;
  readonly features: number;
}

const readsText = ({ key, features }: TextFeatures): string =>
  `${key} is for text conditioning with ${features} features`;

/** Number of text features that the adapter's cross-attention reads; null without such a layer. */
function textFeatures(shapes: Shapes): TextFeatures | null {
  /** Inputs of the first and second factor of a Kronecker product. */
  const factors = new Map<string, number>();
  for (const [key, [, inputs]] of shapes) {
    const [, layer = "", whole, role = ""] =
      /^(.*attn2[._](?:processor[._])?to_[kv])(?:[._]lora|(_custom_diffusion))?\.([\w.]+?)(?:\.weight)?$/.exec(key) ??
      [];
    if (layer === "" || inputs === undefined) continue;
    if (whole !== undefined) return { key, features: inputs };
    if (/^(lora[._])?(down|A)\b|^lora_A\b|^lora_down$|^hada_w1_b$|^diff$/.test(role)) return { key, features: inputs };
    const [, factor] = /^lokr_w([12])(_b)?$/.exec(role) ?? [];
    if (factor === undefined) continue;
    const other = factors.get(`${layer} ${3 - Number(factor)}`);
    if (other !== undefined) return { key, features: other * inputs };
    factors.set(`${layer} ${factor}`, inputs);
  }
  return null;
}

/** The first family with a text encoder of this width: CLIP ViT-L gives Stable Diffusion 1.x, though SDXL has it too. */
const familyByWidth = (width: number): Family | null =>
  FAMILY_NAMES.find((family) => FAMILIES[family].textEncoders.some((e) => e.width === width)) ?? null;

/** Tensor names for the first and second text encoder of SDXL, by format. */
const BOTH = [
  ["clip_l", "clip_g"],
  ["text_encoders_0", "text_encoders_1"],
] as const;

/** Recognises a textual inversion; null for other tensors. */
export function recogniseTextualInversion(shapes: Shapes): RecognisedAddition | null {
  const all = [...shapes];
  const named = BOTH.find((names) => names.some((name) => shapes.has(name)))?.filter((name) => shapes.has(name));
  const rest = all.filter(([name]) => !named?.some((n) => n === name));
  const [first] = all;
  const words =
    all.length > 0 &&
    all.every(([name, shape]) => !name.endsWith(".weight") && shape.length <= 2 && familyByWidth(shape.at(-1) ?? 0));
  const nameless = all.length <= 2 && ["*", "emb_params"].includes(first?.[0] ?? "");
  if (!(named && rest.length === 0) && !words && !nameless) return null;
  const family = named ? "sdxl" : familyByWidth(first?.[1].at(-1) ?? 0);
  return {
    kind: "textual inversion",
    family,
    about: `a textual-inversion embedding${family ? ` for ${FAMILIES[family].title}` : ""}`,
    because: named
      ? `it has the tensor${named.length > 1 ? "s" : ""} ${named.join(" and ")}`
      : `its tensor ${first?.[0]} contains embeddings with ${first?.[1].at(-1)} features`,
  };
}
