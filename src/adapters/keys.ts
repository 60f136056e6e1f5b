/** Parses keys of adapter files into a layer name and the role of the tensor. */
import type { Layer, NameTable } from "./names.js";

/** Role of a tensor in the change of a layer. */
export type Role =
  | "down"
  | "up"
  | "mid"
  | "alpha"
  | "dora_scale"
  | "magnitude_vector"
  | `hada_${"w1_a" | "w1_b" | "w2_a" | "w2_b" | "t1" | "t2"}`
  | `lokr_${"w1" | "w1_a" | "w1_b" | "w2" | "w2_a" | "w2_b" | "t2"}`
  | "diff"
  | "diff_b"
  | "weight";

/** Key suffixes with the role and the dialect of each. */
const ENDINGS: readonly (readonly [string, Role, string])[] = [
  [".lora_A.weight", "down", "PEFT"],
  [".lora_B.weight", "up", "PEFT"],
  [".lora_magnitude_vector", "magnitude_vector", "PEFT"],
  [".lora_magnitude_vector.weight", "magnitude_vector", "PEFT"],
  [".lora_down.weight", "down", "kohya"],
  [".lora_up.weight", "up", "kohya"],
  [".lora_mid.weight", "mid", "LyCORIS"],
  [".alpha", "alpha", "kohya"],
  [".dora_scale", "dora_scale", "LyCORIS"],
  [".lora.down.weight", "down", "diffusers"],
  [".lora.up.weight", "up", "diffusers"],
  [".lora_linear_layer.down.weight", "down", "diffusers"],
  [".lora_linear_layer.up.weight", "up", "diffusers"],
  ["_lora.down.weight", "down", "diffusers"],
  ["_lora.up.weight", "up", "diffusers"],
  ...(["w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2"] as const).map(
    (s) => [`.hada_${s}`, `hada_${s}`, "LyCORIS"] as const,
  ),
  ...(["w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2"] as const).map(
    (s) => [`.lokr_${s}`, `lokr_${s}`, "LyCORIS"] as const,
  ),
  [".diff", "diff", "kohya"],
  [".diff_b", "diff_b", "kohya"],
  [".w_norm", "diff", "LyCORIS"],
  [".b_norm", "diff_b", "LyCORIS"],
  ["_custom_diffusion.weight", "weight", "Custom Diffusion"],
];

/** A key split into layer name and suffix. */
export interface ParsedKey {
  /** The layer's name in the file's dialect. */
  readonly stem: string;
  readonly role: Role;
  readonly dialect: string;
}

/** An adapter's own name in a key of PEFT, between the matrix and "weight". */
const ADAPTER_NAME = /(\.lora_(?:[AB]|magnitude_vector))\.[^.]+(\.weight)$/;

/** A key of XLabs: the matrix after the layer of an attention processor. */
const XLABS = /^(.*blocks\.\d+\.processor\.(?:qkv|proj)_lora[12]?)\.(down|up)\.weight$/;

/** Splits a key at its longest known suffix; null without one. */
export function parseKey(key: string): ParsedKey | null {
  const [, layer, matrix] = XLABS.exec(key) ?? [];
  if (layer !== undefined) return { stem: layer, role: matrix === "down" ? "down" : "up", dialect: "XLabs" };
  const plain = key.replace(ADAPTER_NAME, "$1$2");
  const found = ENDINGS.filter(([end]) => plain.endsWith(end)).toSorted((a, b) => b[0].length - a[0].length)[0];
  return found ? { stem: plain.slice(0, -found[0].length), role: found[1], dialect: found[2] } : null;
}

/** Key suffixes of kinds that are recognised but not supported. */
const UNSUPPORTED: readonly (readonly [RegExp, string])[] = [
  [/\.[ab][12]\.weight$/, "GLoRA"],
  [/\.boft_[a-zA-Z]+(\.\w+)?$/, "BOFT"],
  [/\.oft_blocks$|\.oft_[rR](\.\w+)*$|\.oft_diag$|\.rescale$/, "OFT"],
  [/\.ia3_l(\.\w+)?$|\.on_input$/, "(IA)³"],
  [/\.vera_(lambda|A|B)\w*(\.\w+)*$/, "VeRA"],
  [/\.hra_u(\.\w+)?$/, "HRA"],
  [/\.fourierft_spectrum(\.\w+)?$/, "FourierFT"],
  [/\.lora_E(\.\w+)?$/, "AdaLoRA"],
  [/\.lora_[AB](\.[^.]+)?\.bias$/, "LoRA with trained biases (lora_bias)"],
  [/\.lora_embedding_[AB](\.\w+)?$/, "LoRA on token embeddings"],
  [/\.bias_(indices|values|size)$/, "sparse biases"],
  [/\.(reshape|set)_weight$/, "a layer of another shape"],
];

/** Supported kinds, in words. */
export const SUPPORTED_KINDS = "LoRA, LoCon, LoHa, LoKr, DoRA, full differences and trained norms";

/** Display name of the unsupported kind that a key belongs to; null where there is none. */
export const unsupportedKind = (key: string): string | null =>
  UNSUPPORTED.find(([pattern]) => pattern.test(key))?.[1] ?? null;

/** True when a key has an adapter's suffix, so that the file is an adapter and not a network. */
export const isAdapter = (keys: Iterable<string>): boolean =>
  [...keys].some((key) => parseKey(key) !== null || unsupportedKind(key) !== null);

/** Layer of the model that a key belongs to; null without one, and for a bias change of a layer without bias. */
export function layerOf(key: string, table: NameTable): (ParsedKey & { readonly layer: Layer }) | null {
  const parsed = parseKey(key);
  const layer = parsed && table.get(parsed.stem);
  if (!parsed || !layer || (parsed.role === "diff_b" && layer.bias === null)) return null;
  return { ...parsed, layer };
}
