/** A file's tensors as an adapter: every key is recognised in one of the dialects and looked up among the model's layers, or named as left over. */
import { FileError, RequestError } from "../errors.js";
import { count, type FloatTensor } from "../tensor/index.js";
import { type Delta, type HadamardFactor, type KroneckerFactor, rankOf } from "./delta.js";
import { type Layer, type Layers, nameTable, type Part } from "./names.js";

/** What one file does to one layer. */
export interface Target {
  readonly part: Part;
  readonly layer: string;
  readonly delta: Delta;
}

export interface Adapter {
  readonly file: string;
  readonly dialects: readonly string[];
  readonly targets: readonly Target[];
  /** Keys that belong to no layer of the model. */
  readonly unmatched: readonly string[];
  /** Layers that the file leaves as they are. */
  readonly untouched: number;
}

/** What a tensor is to its layer. */
type Slot =
  | "down"
  | "up"
  | "mid"
  | "alpha"
  | "magnitude"
  | `hada_${"w1_a" | "w1_b" | "w2_a" | "w2_b" | "t1" | "t2"}`
  | `lokr_${"w1" | "w1_a" | "w1_b" | "w2" | "w2_a" | "w2_b" | "t2"}`
  | "diff"
  | "diff_b"
  | "weight";

/** Ends of keys: the slot each stands for, and whose way of writing it is. */
const ENDINGS: readonly (readonly [string, Slot, string])[] = [
  [".lora_A.weight", "down", "PEFT"],
  [".lora_B.weight", "up", "PEFT"],
  [".lora_A.default.weight", "down", "PEFT"],
  [".lora_B.default.weight", "up", "PEFT"],
  [".lora_magnitude_vector", "magnitude", "PEFT"],
  [".lora_magnitude_vector.weight", "magnitude", "PEFT"],
  [".lora_magnitude_vector.default.weight", "magnitude", "PEFT"],
  [".lora_down.weight", "down", "kohya"],
  [".lora_up.weight", "up", "kohya"],
  [".lora_mid.weight", "mid", "LyCORIS"],
  [".alpha", "alpha", "kohya"],
  [".dora_scale", "magnitude", "LyCORIS"],
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
  ["_custom_diffusion.weight", "weight", "Custom Diffusion"],
];

/** A key without its ending, and what the ending says. The longest ending counts. */
export function parseKey(key: string): { stem: string; slot: Slot; dialect: string } | null {
  const found = ENDINGS.filter(([end]) => key.endsWith(end)).toSorted((a, b) => b[0].length - a[0].length)[0];
  return found ? { stem: key.slice(0, -found[0].length), slot: found[1], dialect: found[2] } : null;
}

/** Whether the names in a file are an adapter's and not a network's. */
export const isAdapter = (keys: Iterable<string>): boolean => [...keys].some((key) => parseKey(key) !== null);

export interface ReadOptions {
  /** Keys that belong to no layer are left out instead of refused; default false. */
  readonly allowUnmatched?: boolean;
  /** Alpha of the layers whose file has it only in its metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Reads an adapter for a model with these layers.
 * @throws FileError when the tensors make no adapter, are of another shape, or hold no numbers; RequestError when keys are left over, or
 * the file was made for another family of models
 */
export function readAdapter(
  file: string,
  tensors: ReadonlyMap<string, FloatTensor>,
  layers: Layers,
  { allowUnmatched = false, metadata = {} }: ReadOptions = {},
): Adapter {
  if (tensors.size === 0) throw new FileError(file, "holds no tensors");
  const table = nameTable(layers);
  const groups = new Map<Layer, Map<Slot, FloatTensor>>();
  const unmatched: string[] = [];
  const dialects = new Set<string>();
  for (const [key, tensor] of tensors) {
    const parsed = parseKey(key);
    const layer = parsed && table.get(parsed.stem);
    if (!parsed || !layer) {
      unmatched.push(key);
      continue;
    }
    checkNumbers(file, key, tensor);
    dialects.add(parsed.dialect);
    const slots = groups.get(layer) ?? new Map<Slot, FloatTensor>();
    if (slots.has(parsed.slot)) throw new FileError(file, `names ${layer.name} twice (${key})`);
    groups.set(layer, slots.set(parsed.slot, tensor));
  }
  if (groups.size === 0 && !isAdapter(tensors.keys())) {
    throw new FileError(file, `is no adapter: no key ends like one (${[...tensors.keys()].slice(0, 2).join(", ")}, …)`);
  }
  const alphas = alphaIn(metadata);
  const targets = [...groups].flatMap(([layer, slots]): Target[] =>
    deltasOf(file, layer, slots, alphas(layer)).map((delta) => {
      checkShapes(file, layer, delta);
      return { part: layer.part, layer: layer.name, delta };
    }),
  );
  if (unmatched.length > 0 && !allowUnmatched) {
    const shown = unmatched.slice(0, 3).join(", ") + (unmatched.length > 3 ? ", …" : "");
    const how = unmatched.length === tensors.size ? "none" : `${tensors.size - unmatched.length}`;
    throw new RequestError(
      `${file}: ${how} of its ${tensors.size} keys belong to this model; left over are ${shown}. --allow-unmatched leaves them out`,
    );
  }
  const total = [...layers.values()].reduce((n, all) => n + all.size, 0);
  return { file, dialects: [...dialects], targets, unmatched, untouched: total - groups.size };
}

function checkNumbers(file: string, key: string, { data }: FloatTensor): void {
  const wrong = data.find((v) => !Number.isFinite(v));
  if (wrong !== undefined) throw new FileError(file, `${key} holds ${wrong}, which is no number to adapt a layer with`);
}

/** What metadata says of alpha: `lora_adapter_metadata` of diffusers, a JSON with lora_alpha and alpha_pattern for each part. */
function alphaIn(metadata: Readonly<Record<string, string>>): (layer: Layer) => number | null {
  let told: unknown;
  try {
    told = JSON.parse(metadata["lora_adapter_metadata"] ?? "{}");
  } catch {
    told = {};
  }
  const read = (key: string): unknown =>
    typeof told === "object" && told !== null ? Reflect.get(told, key) : undefined;
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

/** What the tensors of one layer do: beside a change of the weight there may be one of the bias. */
function deltasOf(file: string, layer: Layer, slots: ReadonlyMap<Slot, FloatTensor>, told: number | null): Delta[] {
  const delta = deltaOf(file, layer, slots, told);
  const bias = delta.kind === "difference" ? undefined : slots.get("diff_b");
  return bias ? [delta, { kind: "difference", weight: null, bias }] : [delta];
}

function deltaOf(file: string, { name }: Layer, slots: ReadonlyMap<Slot, FloatTensor>, told: number | null): Delta {
  const need = (slot: Slot): FloatTensor => {
    const found = slots.get(slot);
    if (!found) throw new FileError(file, `${name} has ${[...slots.keys()].join(", ")} but no ${slot}`);
    return found;
  };
  const maybe = (slot: Slot): FloatTensor | null => slots.get(slot) ?? null;
  const alpha = slots.get("alpha")?.data[0] ?? told;
  const any = (start: string) => [...slots.keys()].some((slot) => slot.startsWith(start));
  if (any("hada_")) {
    const factor = (n: 1 | 2): HadamardFactor => ({
      a: need(`hada_w${n}_a`),
      b: need(`hada_w${n}_b`),
      core: maybe(`hada_t${n}`),
    });
    return { kind: "hadamard", factors: [factor(1), factor(2)], alpha };
  }
  if (any("lokr_")) {
    const factor = (n: 1 | 2): KroneckerFactor => {
      const whole = maybe(`lokr_w${n}`);
      if (whole) return { whole };
      return { a: need(`lokr_w${n}_a`), b: need(`lokr_w${n}_b`), core: n === 2 ? maybe("lokr_t2") : null };
    };
    return { kind: "kronecker", left: factor(1), right: factor(2), alpha };
  }
  if (slots.has("down") || slots.has("up")) {
    return {
      kind: "low-rank",
      down: need("down"),
      up: need("up"),
      mid: maybe("mid"),
      alpha,
      magnitude: maybe("magnitude"),
    };
  }
  const weight = maybe("weight");
  if (weight) return { kind: "replacement", weight };
  if (slots.has("diff") || slots.has("diff_b")) {
    return { kind: "difference", weight: maybe("diff"), bias: maybe("diff_b") };
  }
  throw new FileError(file, `${name} has only ${[...slots.keys()].join(", ")}`);
}

/** Widths of the text that cross-attention reads, by the family that has them. */
const FAMILIES: Readonly<Record<number, string>> = {
  768: "Stable Diffusion 1.x",
  1024: "Stable Diffusion 2.x",
  2048: "SDXL",
};

function checkShapes(file: string, layer: Layer, delta: Delta): void {
  const { name, shape } = layer;
  if (rankOf(delta) === 0) throw new FileError(file, `${name} has rank 0`);
  const [outputs = 0, inputs = 0, ...kernel] = shape;
  const wanted = count(shape);
  const wrong = (what: string, actual: readonly number[], expected: string): never => {
    const [made, here] = [FAMILIES[actual[1] ?? 0], FAMILIES[inputs]];
    if (/attn2\.to_[kv]$/.test(name) && made && here && made !== here) {
      throw new RequestError(
        `${file} was made for ${made} (its text is ${actual[1]} wide); this model is ${here} (${inputs})`,
      );
    }
    throw new FileError(file, `${name}: ${what} is [${actual.join(", ")}]; this model's layer asks for ${expected}`);
  };
  if (delta.kind === "low-rank") {
    const { down, up, mid } = delta;
    const rank = (mid ? mid.shape[1] : down.shape[0]) ?? 0;
    const taps = mid ? 1 : count(kernel);
    if (down.shape[1] !== inputs || count(down.shape) !== (down.shape[0] ?? 0) * inputs * taps) {
      wrong("down", down.shape, `[rank, ${[inputs, ...(mid ? [] : kernel)].join(", ")}]`);
    }
    if (up.shape[0] !== outputs || count(up.shape) !== outputs * (mid ? (mid.shape[0] ?? 0) : rank)) {
      wrong("up", up.shape, `[${outputs}, ${rank}]`);
    }
    if (mid && (down.shape[0] !== rank || mid.shape.slice(2).join() !== kernel.join())) {
      wrong("mid", mid.shape, `[rank, ${down.shape[0]}, ${kernel.join(", ")}]`);
    }
    return;
  }
  if (delta.kind === "difference" || delta.kind === "replacement") {
    const { weight } = delta;
    if (weight && count(weight.shape) !== wanted) wrong("the weight", weight.shape, `[${shape.join(", ")}]`);
    if ("bias" in delta && delta.bias && count(delta.bias.shape) !== outputs)
      wrong("the bias", delta.bias.shape, `[${outputs}]`);
    return;
  }
  const produced =
    delta.kind === "hadamard" ? hadamardSize(delta.factors[0]) : kroneckerSize(delta.left) * kroneckerSize(delta.right);
  if (produced !== wanted) wrong(`its ${delta.kind} product`, [produced], `${wanted} values`);
}

const hadamardSize = ({ a, b, core }: HadamardFactor): number =>
  core
    ? (a.shape[1] ?? 0) * (b.shape[1] ?? 0) * count(core.shape.slice(2))
    : (a.shape[0] ?? 0) * count(b.shape.slice(1));

function kroneckerSize(factor: KroneckerFactor): number {
  if ("whole" in factor) return count(factor.whole.shape);
  const { a, b, core } = factor;
  return core
    ? (a.shape[1] ?? 0) * (b.shape[1] ?? 0) * count(core.shape.slice(2))
    : (a.shape[0] ?? 0) * count(b.shape.slice(1));
}
