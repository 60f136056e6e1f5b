/** Layer names in all dialects, in a table built from the model's own layers, so that keys are looked up and not guessed. */
import { stabilityNames } from "../families/index.js";

/** Networks that adapters change. */
export const PARTS = ["unet", "text_encoder", "text_encoder_2"] as const;
export type Part = (typeof PARTS)[number];

/** Shapes of a layer's weight and bias: [O, I], [O, I, k, k], or [D] of a norm. */
export interface LayerShape {
  readonly weight: readonly number[];
  /** Null without a bias. */
  readonly bias: readonly number[] | null;
}

/** An adaptable layer, with its name in the checkpoint. */
export interface Layer extends LayerShape {
  readonly part: Part;
  readonly name: string;
}

/** The adaptable layers of a model: linear layers, convolutions and norms. */
export type Layers = ReadonlyMap<Part, ReadonlyMap<string, LayerShape>>;

/** Names of matrices that are not layers. */
const TABLES = /embedding(s)?$|embeddings\./;

/** Adaptable layers of a component, from the names and shapes of its tensors. */
export function layersOf(tensors: Iterable<readonly [string, readonly number[]]>): Map<string, LayerShape> {
  const shapes = new Map(tensors);
  const found = new Map<string, LayerShape>();
  for (const [key, weight] of shapes) {
    const name = key.endsWith(".weight") ? key.slice(0, -".weight".length) : "";
    if (name && [1, 2, 4].includes(weight.length) && !TABLES.test(name)) {
      found.set(name, { weight, bias: shapes.get(`${name}.bias`) ?? null });
    }
  }
  return found;
}

/** Layers by all of their names, in all dialects. */
export function nameTable(layers: Layers): ReadonlyMap<string, Layer> {
  const table = new Map<string, Layer>();
  for (const [part, all] of layers) {
    const sgm = part === "unet" ? stabilityNames([...all.keys()]) : new Map<string, string>();
    for (const [name, shape] of all) {
      const layer = { part, name, ...shape };
      for (const alias of aliases(part, name, sgm.get(name))) table.set(alias, layer);
    }
  }
  return table;
}

const underscored = (name: string): string => name.replaceAll(".", "_");

/** Prefixes of kohya's trainer: one text encoder for SD 1.x, two numbered ones for SDXL. */
const KOHYA: { readonly [P in Part]: readonly string[] } = {
  unet: ["lora_unet_"],
  text_encoder: ["lora_te_", "lora_te1_"],
  text_encoder_2: ["lora_te2_"],
};

function* aliases(part: Part, name: string, sgm: string | undefined): Generator<string> {
  const bare = part === "unet" ? name : name.replace(/^text_model\./, "");
  const long = part === "unet" ? name : `text_model.${bare}`;
  for (const n of new Set([name, bare, long])) {
    yield `${part}.${n}`;
    yield `${part}.base_model.model.${n}`;
    for (const prefix of KOHYA[part]) yield `${prefix}${underscored(n)}`;
    if (part !== "unet") continue;
    // diffusers files without a prefix, and PEFT's own.
    yield n;
    yield `base_model.model.${n}`;
  }
  if (sgm) {
    yield `lora_unet_${underscored(sgm)}`;
    yield `diffusion_model.${sgm}`;
    yield `model.diffusion_model.${sgm}`;
  }
  // diffusers' attention processors (before 0.22): attn1.processor.to_q_lora, without the 0 of to_out.0.
  const attention = /^(.*\.attn\d)\.(to_[qkv]|to_out)(?:\.0)?$/.exec(name);
  if (attention) {
    yield `${attention[1]}.processor.${attention[2]}`;
    yield `${part}.${attention[1]}.processor.${attention[2]}`;
  }
}
