/** Reads adapters from tensors. Every key is matched to a layer of the model or listed as unmatched, and every shape is checked. */
import { AdapterShapeError, FileError, NonFiniteTensorError, RequestError } from "../errors.js";
import { type FloatTensor, float } from "../tensor/index.js";
import type { Delta, KroneckerFactor, Magnitude, Product } from "./delta.js";
import { isAdapter, layerOf, type Role } from "./keys.js";
import { type Layer, type Layers, nameTable, type Part } from "./names.js";
import { type ShapeProblem, shapeProblem } from "./shapes.js";

/** One change of one layer. */
export interface Target {
  readonly part: Part;
  readonly layer: string;
  readonly delta: Delta;
}

/** An adapter for one model. */
export interface Adapter {
  readonly file: string;
  readonly dialects: readonly string[];
  readonly targets: readonly Target[];
  /** Keys that belong to no layer of the model. */
  readonly unmatched: readonly string[];
  /** Number of layers of the model without a change. */
  readonly untouched: number;
}

/** Options of `readAdapter`. */
export interface ReadOptions {
  /** Ignore keys that belong to no layer instead of refusing the file; default false. */
  readonly allowUnmatched?: boolean;
  /** The file's metadata, which holds alpha where no tensor does. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A tensor with its key in the file. */
interface NamedTensor extends FloatTensor {
  readonly key: string;
}

/** The tensors that a file has for one layer, by role. */
type LayerTensors = ReadonlyMap<Role, NamedTensor>;

/**
 * Reads an adapter for a model with these layers.
 * @throws FileError when the tensors are not an adapter, or incomplete; AdapterShapeError for a wrong shape; NonFiniteTensorError for NaN or
 * infinity; RequestError for unmatched keys, or an adapter for another model family
 */
export function readAdapter(
  file: string,
  tensors: ReadonlyMap<string, FloatTensor>,
  layers: Layers,
  { allowUnmatched = false, metadata = {} }: ReadOptions = {},
): Adapter {
  if (tensors.size === 0) throw new FileError(file, "contains no tensors");
  const table = nameTable(layers);
  const groups = new Map<Layer, Map<Role, NamedTensor>>();
  const unmatched: string[] = [];
  const dialects = new Set<string>();
  for (const [key, tensor] of tensors) {
    const found = layerOf(key, table);
    if (!found) {
      unmatched.push(key);
      continue;
    }
    const { layer, role, dialect } = found;
    const value = tensor.data.find((v) => !Number.isFinite(v));
    if (value !== undefined) throw new NonFiniteTensorError({ file, tensor: key, value });
    dialects.add(dialect);
    const group = groups.get(layer) ?? new Map<Role, NamedTensor>();
    const same = group.get(role);
    if (same) throw new FileError(file, `changes ${layer.name} twice (${same.key} and ${key})`);
    groups.set(layer, group.set(role, { ...tensor, key }));
  }
  if (groups.size === 0 && !isAdapter(tensors.keys())) {
    const shown = [...tensors.keys()].slice(0, 2).join(", ");
    throw new FileError(file, `is not an adapter: no key has an adapter's suffix (${shown}, …)`);
  }
  const alphas = alphaIn(file, metadata);
  const targets = [...groups].flatMap(([layer, group]): Target[] => {
    const problem = shapeProblem(layer, group);
    if (problem) throw shapeError(file, layer, problem);
    return deltasOf(file, layer, group, alphas(layer)).map((delta) => ({ part: layer.part, layer: layer.name, delta }));
  });
  if (unmatched.length > 0 && !allowUnmatched) {
    const shown = unmatched.slice(0, 3).join(", ") + (unmatched.length > 3 ? ", …" : "");
    const matched = unmatched.length === tensors.size ? "none" : `${tensors.size - unmatched.length}`;
    throw new RequestError(
      `${file}: ${matched} of its ${tensors.size} keys belong to this model; unmatched: ${shown}. --allow-unmatched ignores them`,
    );
  }
  const total = [...layers.values()].reduce((n, all) => n + all.size, 0);
  return { file, dialects: [...dialects], targets, unmatched, untouched: total - groups.size };
}

/** Text features that cross-attention reads, by model family. */
const FAMILIES: Readonly<Record<number, string>> = {
  768: "Stable Diffusion 1.x",
  1024: "Stable Diffusion 2.x",
  2048: "SDXL",
};

/** Error for a wrong shape; for cross-attention with the text features of another family, it names both families. */
function shapeError(file: string, layer: Layer, { key, shape, expected }: ShapeProblem): Error {
  const [, inputs = 0] = layer.weight;
  const [, actual = 0] = shape;
  const [made, here] = [FAMILIES[actual], FAMILIES[inputs]];
  if (/attn2\.to_[kv]$/.test(layer.name) && made && here && made !== here && expected[1] === inputs) {
    return new RequestError(
      `${file} was made for ${made} (${actual} text features); this model is ${here} (${inputs})`,
    );
  }
  return new AdapterShapeError({ file, tensor: key, layer: layer.name, expected, actual: shape });
}

/** Alpha of a layer from the file's metadata: diffusers' `lora_adapter_metadata`, JSON with lora_alpha and alpha_pattern for each part. */
function alphaIn(file: string, metadata: Readonly<Record<string, string>>): (layer: Layer) => number | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(metadata["lora_adapter_metadata"] ?? "{}");
  } catch (error) {
    throw new FileError(file, "its metadata lora_adapter_metadata is not JSON", { cause: error });
  }
  const read = (key: string): unknown =>
    typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, key) : undefined;
  return ({ part, name }) => {
    const patterns = read(`${part}.alpha_pattern`) ?? read("alpha_pattern");
    const own =
      typeof patterns === "object" && patterns !== null
        ? Object.entries(patterns).find(([layer]) => name === layer || name.endsWith(`.${layer}`))?.[1]
        : undefined;
    const alpha = own ?? read(`${part}.lora_alpha`) ?? read("lora_alpha");
    return typeof alpha === "number" ? alpha : null;
  };
}

/** Changes of one layer's weight and bias. @throws FileError for missing tensors, and for tensors that are not used */
function deltasOf(file: string, layer: Layer, tensors: LayerTensors, alphaInMetadata: number | null): Delta[] {
  // Trainers write an alpha for differences too, where it has no effect.
  const used = new Set<Role>(["alpha"]);
  const maybe = (role: Role): NamedTensor | null => {
    used.add(role);
    return tensors.get(role) ?? null;
  };
  const need = (role: Role): NamedTensor => {
    const found = maybe(role);
    if (!found) throw new FileError(file, `${layer.name} has ${[...tensors.keys()].join(", ")} but no ${role}`);
    return found;
  };
  const alpha = tensors.get("alpha")?.data[0] ?? alphaInMetadata;
  const change = weightChange(layer, [...tensors.keys()], { maybe, need, alpha });
  const [weight, bias] = [maybe("diff"), maybe("diff_b")];
  const rest = [...tensors].flatMap(([role, { key }]) => (used.has(role) ? [] : [key]));
  if (rest.length > 0)
    throw new FileError(file, `${layer.name}: ${rest.join(", ")} cannot be combined with its other tensors`);
  const deltas: Delta[] = [
    ...(change ? [change] : []),
    ...(weight || bias ? [{ kind: "difference", weight, bias } as const] : []),
  ];
  if (deltas.length === 0) throw new FileError(file, `${layer.name} has only ${[...tensors.keys()].join(", ")}`);
  return deltas;
}

/** Access to the tensors of a layer, which marks them as used. */
interface TensorLookup {
  maybe(role: Role): NamedTensor | null;
  /** @throws FileError */
  need(role: Role): NamedTensor;
  readonly alpha: number | null;
}

/** Change of a layer's weight other than a difference; null without one. */
function weightChange(layer: Layer, roles: readonly Role[], { maybe, need, alpha }: TensorLookup): Delta | null {
  const any = (start: string) => roles.some((role) => role.startsWith(start));
  const scaled = () => ({ alpha, magnitude: magnitudeOf(layer, maybe) });
  const product = (name: "hada_w1" | "hada_w2" | "lokr_w1" | "lokr_w2", core: NamedTensor | null): Product => ({
    a: need(`${name}_a`),
    b: need(`${name}_b`),
    core,
  });
  if (any("hada_")) {
    const tucker = any("hada_t");
    return {
      kind: "hadamard",
      factors: [
        product("hada_w1", tucker ? need("hada_t1") : null),
        product("hada_w2", tucker ? need("hada_t2") : null),
      ],
      ...scaled(),
    };
  }
  if (any("lokr_")) {
    const full = (role: "lokr_w1" | "lokr_w2", core: () => NamedTensor | null): KroneckerFactor => {
      const found = maybe(role);
      return found ? { full: found } : product(role, core());
    };
    return {
      kind: "kronecker",
      left: full("lokr_w1", () => null),
      right: full("lokr_w2", () => maybe("lokr_t2")),
      ...scaled(),
    };
  }
  if (roles.includes("down") || roles.includes("up") || roles.includes("mid")) {
    return { kind: "low-rank", down: need("down"), up: need("up"), mid: maybe("mid"), ...scaled() };
  }
  const weight = maybe("weight");
  return weight && { kind: "replacement", weight };
}

/** DoRA norms of a layer: per output in PEFT, per output or input in LyCORIS, by their shape. Null without DoRA. */
function magnitudeOf({ weight: [outputs] }: Layer, maybe: TensorLookup["maybe"]): Magnitude | null {
  const peft = maybe("magnitude_vector");
  const found = peft ?? maybe("dora_scale");
  if (!found) return null;
  const [first, second = 1] = found.shape;
  const axis = peft || (first === outputs && second === 1) ? "output" : "input";
  return { axis, lengths: float([found.data.length], found.data) };
}
