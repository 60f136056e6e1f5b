/** Reads adapters from tensors. Every key is matched to a layer of the model or listed as unmatched, and every shape is checked. */
import { AdapterShapeError, FileError, NonFiniteTensorError, RequestError } from "../errors.js";
import type { Family } from "../families/index.js";
import { counted, type FloatTensor, float } from "../tensor/index.js";
import { marksUnchanged } from "./custom-diffusion.js";
import type { Delta, KroneckerFactor, Magnitude, Product } from "./delta.js";
import { familyProblem } from "./family.js";
import { fitting } from "./fit.js";
import { isAdapter, layerOf, type Role, SUPPORTED_KINDS, unsupportedKind } from "./keys.js";
import { type Layer, type Layers, nameTable, type Part } from "./names.js";
import { pieceOf } from "./pieces.js";
import { type ShapeProblem, shapeProblem } from "./shapes.js";
import { alphasIn, type StrengthConfig } from "./strength.js";

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
  /** The file's metadata, which holds the strength where no tensor does. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** PEFT's config beside the file, which holds the strength. */
  readonly config?: StrengthConfig;
  /** Family of the model; default: the one whose text features its layers read. */
  readonly family?: Family;
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
 * infinity; RequestError for unmatched keys, an adapter for another model family, and one of which no key matches
 */
export function readAdapter(
  file: string,
  all: ReadonlyMap<string, FloatTensor>,
  layers: Layers,
  { allowUnmatched = false, metadata = {}, config, family }: ReadOptions = {},
): Adapter {
  const tensors = new Map([...all].filter(([key, tensor]) => !marksUnchanged(key, tensor)));
  if (tensors.size === 0) throw new FileError(file, "contains no tensors");
  // Families share names of layers: a file that fits as a whole belongs to this model.
  const shapes = new Map([...tensors].map(([key, t]) => [key, t.shape]));
  const wrongFamily = fitting(layers)(shapes).fits ? null : familyProblem(shapes, layers, family);
  if (wrongFamily !== null) throw new RequestError(`${file}: ${wrongFamily}`);
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
  const unread = [...tensors.keys()].find((key) => unsupportedKind(key) !== null);
  if (unread !== undefined) {
    throw new FileError(
      file,
      `${unread} is a change of kind ${unsupportedKind(unread)}; supported: ${SUPPORTED_KINDS}`,
    );
  }
  if (groups.size === 0) {
    const [first] = tensors.keys();
    throw new RequestError(
      `${file}: none of its ${counted(tensors.size, "key")} (${first}${tensors.size > 1 ? ", …" : ""}) belongs to this model; it is for another one (variegate adapter inspect describes it)`,
    );
  }
  const alphas = alphasIn(file, metadata, config);
  const targets = [...groups].flatMap(([layer, group]): Target[] => {
    const problem = shapeProblem(layer, group);
    if (problem) throw shapeError(file, layer, problem);
    const deltas = deltasOf(file, layer, group, alphas(layer, group.get("down")?.shape[0]));
    return deltas.flatMap((delta) => targetsOf(file, layer, delta));
  });
  const twice = changedTwice(groups.keys());
  if (twice) throw new FileError(file, `changes ${twice} twice, alone and as a part of a fused layer`);
  if (unmatched.length > 0 && !allowUnmatched) {
    const shown = unmatched.slice(0, 3).join(", ") + (unmatched.length > 3 ? ", …" : "");
    throw new RequestError(
      `${file}: ${tensors.size - unmatched.length} of its ${counted(tensors.size, "key")} belong to this model; unmatched: ${shown}. --allow-unmatched ignores them`,
    );
  }
  const total = [...layers.values()].reduce((n, all) => n + all.size, 0);
  const changed = new Set(targets.map(({ part, layer }) => `${part} ${layer}`));
  return { file, dialects: [...dialects], targets, unmatched, untouched: total - changed.size };
}

/** Changes of the model's layers by a change of a layer in the file. @throws FileError for a change that has no parts */
function targetsOf(file: string, { part, name, pieces }: Layer, delta: Delta): Target[] {
  if (!pieces) return [{ part, layer: name, delta }];
  return pieces.map(({ name: layer, rows }) => {
    const piece = pieceOf(delta, rows);
    if (piece) return { part, layer, delta: piece };
    throw new FileError(
      file,
      `changes a fused layer (${pieces.map((p) => p.name).join(", ")}) by DoRA with norms per input, which cannot be divided`,
    );
  });
}

/** The first layer of the model that two layers of a file change. */
function changedTwice(layers: Iterable<Layer>): string | undefined {
  const seen = new Set<string>();
  for (const { part, name, pieces } of layers) {
    for (const piece of pieces ?? [{ name }]) {
      const key = `${part} ${piece.name}`;
      if (seen.has(key)) return piece.name;
      seen.add(key);
    }
  }
  return undefined;
}

/** Error for a wrong shape. */
const shapeError = (file: string, layer: Layer, { key, shape, expected }: ShapeProblem): Error =>
  new AdapterShapeError({ file, tensor: key, layer: layer.name, expected, actual: shape });

/** Changes of one layer's weight and bias. @throws FileError for missing tensors, and for tensors that are not used */
function deltasOf(file: string, layer: Layer, tensors: LayerTensors, alphaInConfig: number | null): Delta[] {
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
  const alpha = tensors.get("alpha")?.data[0] ?? alphaInConfig;
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
