/** What each layer of a model is called in every dialect: tables made from the model's own layers, so that a key is looked up and never guessed. */
import { stabilityNames } from "../families/index.js";

/** The networks an adapter may reach. */
export const PARTS = ["unet", "text_encoder", "text_encoder_2"] as const;
export type Part = (typeof PARTS)[number];

/** A layer that can be adapted, by the checkpoint's own name, with the shape of its weight. */
export interface Layer {
  readonly part: Part;
  readonly name: string;
  readonly shape: readonly number[];
}

/** The adaptable layers of a model: linear and convolutional ones, and norms, whose weights have one dimension. */
export type Layers = ReadonlyMap<Part, ReadonlyMap<string, readonly number[]>>;

/** Weights that are matrices and no layers. */
const TABLES = /embedding(s)?$|embeddings\./;

/** Layers from the names and shapes of a component's tensors. */
export function layersOf(tensors: Iterable<readonly [string, readonly number[]]>): Map<string, readonly number[]> {
  const found = new Map<string, readonly number[]>();
  for (const [key, shape] of tensors) {
    const name = key.endsWith(".weight") ? key.slice(0, -".weight".length) : "";
    if (name && [1, 2, 4].includes(shape.length) && !TABLES.test(name)) found.set(name, shape);
  }
  return found;
}

/** Every name under which files know a layer, in every dialect. */
export function nameTable(layers: Layers): ReadonlyMap<string, Layer> {
  const table = new Map<string, Layer>();
  for (const [part, all] of layers) {
    const sgm = part === "unet" ? stabilityNames([...all.keys()]) : new Map<string, string>();
    for (const [name, shape] of all) {
      const layer = { part, name, shape };
      for (const alias of aliases(part, name, sgm.get(name))) table.set(alias, layer);
    }
  }
  return table;
}

const underscored = (name: string): string => name.replaceAll(".", "_");

/** kohya's prefixes: SD 1.x has one text encoder, SDXL numbers them. */
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
    // diffusers before prefixes, and PEFT's own files.
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
