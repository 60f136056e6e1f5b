/** Layer names in all dialects, in a table built from the model's own layers, so that keys are looked up and not guessed. */
import { adapterLayerNames, denoiserLayerNames, type OtherLayer } from "../families/index.js";

/** Networks that adapters change. */
export const PARTS = ["unet", "text_encoder", "text_encoder_2", "text_encoder_3"] as const;
export type Part = (typeof PARTS)[number];

/** Shapes of a layer's weight and bias: [O, I], [O, I, k, k], or [D] of a norm. */
export interface LayerShape {
  readonly weight: readonly number[];
  /** Null without a bias. */
  readonly bias: readonly number[] | null;
}

/** A layer as files name it: a layer of the checkpoint, or one that the checkpoint has in several parts. */
export interface Layer extends LayerShape {
  readonly part: Part;
  /** Name in the checkpoint; that of the first part for a layer in several. */
  readonly name: string;
  /** Layers of the checkpoint that hold its rows; absent for one with the same rows. */
  readonly pieces?: readonly Piece[];
}

/** A layer of the checkpoint, and the rows [from, to) of the fused layer that it consists of. */
export interface Piece {
  readonly name: string;
  readonly rows: readonly (readonly [from: number, to: number])[];
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

/** Layers by their names in files. */
export interface NameTable {
  /** The layer with this name in any dialect. */
  get(name: string): Layer | undefined;
}

/**
 * Layers by all of their names in all dialects: every prefix of the part with every naming of the layers (diffusers' and that of the
 * model's own code), with dots or underscores.
 */
export function nameTable(layers: Layers): NameTable {
  const table = new Map<string, Layer>();
  for (const [part, all] of layers) {
    const names = [...all.keys()];
    const others = part === "unet" ? [denoiserLayerNames(names), adapterLayerNames(names)] : [];
    const add = (layer: Layer, names: Iterable<string>) => {
      for (const alias of names) {
        for (const prefix of PREFIXES[part]) table.set(`${underscored(prefix)}${underscored(alias)}`, layer);
      }
    };
    for (const other of others) {
      for (const { name, layer } of fusedLayers(part, all, other)) add(layer, [name]);
    }
    for (const [name, shape] of all) {
      const whole = others.flatMap((other) => {
        const there = other.get(name);
        return there && !there.share && !there.swapped ? [there.name] : [];
      });
      add({ part, name, ...shape }, aliases(part, name, whole));
    }
  }
  return { get: (name) => table.get(canonical(name)) };
}

/** Layers of other tools' files whose rows are those of several layers, or the rows of one in another order. */
export function* fusedLayers(
  part: Part,
  all: ReadonlyMap<string, LayerShape>,
  other: ReadonlyMap<string, OtherLayer>,
): Generator<{ readonly name: string; readonly layer: Layer }> {
  const groups = new Map<string, { name: string; shape: LayerShape; at: OtherLayer }[]>();
  for (const [name, shape] of all) {
    const at = other.get(name);
    if (at?.share || at?.swapped) groups.set(at.name, [...(groups.get(at.name) ?? []), { name, shape, at }]);
  }
  for (const [name, parts] of groups) {
    const [first] = parts;
    if (!first) continue;
    const [, of = 1, some = 1] = first.at.share ?? [];
    if (parts.reduce((n, { at }) => n + (at.share?.[2] ?? 1), 0) !== of) continue;
    const [all = 0, ...rest] = first.shape.weight;
    const rows = all / some;
    const pieces = parts.map(({ name, at }): Piece => {
      const [i, , n = 1] = at.share ?? [0, 1];
      return {
        name,
        rows: at.swapped
          ? [
              [rows / 2, rows],
              [0, rows / 2],
            ]
          : [[i * rows, (i + n) * rows]],
      };
    });
    const bias = first.shape.bias && [rows * of];
    yield { name, layer: { part, name: first.name, weight: [rows * of, ...rest], bias, pieces } };
  }
}

const underscored = (name: string): string => name.replaceAll(".", "_");

/** What wrappers of PyTorch add to names: torch.compile, data parallelism, and attention processors of diffusers before 0.22. */
const WRAPPERS = [/(^|[._])_orig_mod[._]/g, /(^|\.)module\./g, /(^|[._])processor[._](?=to_)/g] as const;

/** A name without what wrappers add, and with "_" for every ".". */
export const canonical = (name: string): string => underscored(WRAPPERS.reduce((n, w) => n.replace(w, "$1"), name));

/** Prefixes of each part, by trainers and tools; text encoders also as in single-file checkpoints. */
const PREFIXES: { readonly [P in Part]: readonly string[] } = {
  unet: [
    "",
    "unet.",
    "diffusion_model.",
    "model.diffusion_model.",
    "base_model.model.",
    "unet.base_model.model.",
    "transformer.",
    "transformer.base_model.model.",
    "lora_unet_",
    "lora_transformer_",
    "lycoris_",
    "lycoris_unet_",
    "lycoris_transformer_",
  ],
  text_encoder: [
    "text_encoder.",
    "text_encoder.base_model.model.",
    "te.",
    "te1.",
    "lora_te_",
    "lora_te1_",
    "lycoris_te_",
    "lycoris_te1_",
    ...["clip_l", "clip_h"].flatMap((clip) => [
      `${clip}.`,
      `${clip}.transformer.`,
      `text_encoders.${clip}.`,
      `text_encoders.${clip}.transformer.`,
    ]),
    "cond_stage_model.transformer.",
    "conditioner.embedders.0.transformer.",
  ],
  text_encoder_2: [
    "text_encoder_2.",
    "text_encoder_2.base_model.model.",
    "te2.",
    "lora_te2_",
    "lycoris_te2_",
    "clip_g.",
    "clip_g.transformer.",
    "text_encoders.clip_g.",
    "text_encoders.clip_g.transformer.",
  ],
  text_encoder_3: [
    "text_encoder_3.",
    "text_encoder_3.base_model.model.",
    "te3.",
    "lora_te3_",
    "lycoris_te3_",
    "t5xxl.",
    "t5xxl.transformer.",
    "text_encoders.t5xxl.",
    "text_encoders.t5xxl.transformer.",
  ],
};

/** Part of a name in a file, by its longest prefix; a name without one is the UNet's. */
export function partOf(name: string): Part {
  const whole = canonical(name);
  const found = PARTS.flatMap((part) => PREFIXES[part].map((prefix) => ({ part, prefix: underscored(prefix) })))
    .filter(({ prefix }) => whole.startsWith(prefix))
    .toSorted((a, b) => b.prefix.length - a.prefix.length)[0];
  return found?.part ?? "unet";
}

function* aliases(part: Part, name: string, others: readonly string[]): Generator<string> {
  const bare = part === "unet" ? name : name.replace(/^text_model\./, "");
  const long = part === "unet" ? name : `text_model.${bare}`;
  for (const alias of new Set([name, bare, long, ...others])) {
    yield alias;
    // Attention processors name the output layer without its number.
    if (alias.endsWith(".to_out.0")) yield alias.slice(0, -".0".length);
  }
}
