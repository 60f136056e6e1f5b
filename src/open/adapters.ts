/** Adapters on a pair: opens their files against the pair's layers, and brings stacks of them onto networks. */
import {
  type Adapter,
  type Attached,
  changesBias,
  changesWeight,
  constant,
  type Layers,
  layersOf,
  mergeLayer,
  type Part,
  parseScale,
  readAdapter,
  type Scale,
  type Stack,
  stackOn,
} from "../adapters/index.js";
import { adapterFile, openTensorFile, readFloats } from "../checkpoint/index.js";
import { FileError, RequestError } from "../errors.js";
import type { Picture } from "../generate/index.js";
import { locate, type Sources } from "../lookup/index.js";
import type { ModelName } from "../sampling/index.js";
import { count, type FloatTensor, float, type Tensor, type WeightIndex } from "../tensor/index.js";

/** An adapter in use. */
export interface AdapterUse {
  readonly adapter: Adapter;
  /** Default 1. A function gives each picture a scale of its own. */
  readonly scale?: number | Scale | ((picture: Picture) => number);
  /** Which model it acts on; default both. */
  readonly on?: "both" | ModelName;
}

/** An adapter by its file, as `--lora` names it. */
export interface AdapterReference {
  readonly ref: string;
  /** As `parseScale` reads it; default "1". */
  readonly scale?: string;
  readonly on?: "both" | ModelName;
  readonly allowUnmatched?: boolean;
}

/** What adapters may reach. */
export interface Adaptable {
  readonly parts: ReadonlyMap<Part, () => Promise<WeightIndex>>;
  /** Where adapters are looked up. */
  readonly sources?: Sources;
}

/** Layers of a model, by part. */
export async function layersIn({ parts }: Adaptable): Promise<Layers> {
  const found = new Map<Part, ReadonlyMap<string, readonly number[]>>();
  for (const [part, weights] of parts) {
    found.set(part, layersOf([...(await weights()).weights].map(([name, w]) => [name, w.shape] as const)));
  }
  return found;
}

/** Adapter files are small beside models; the largest that were seen hold some two gigabytes. */
const LARGEST = 4e9;

/**
 * Opens an adapter for a model.
 * @throws FileError when the file makes no adapter; RequestError when it was made for another model
 */
export async function openAdapter(
  model: Adaptable,
  ref: string,
  options: { readonly allowUnmatched?: boolean; readonly only?: Part } = {},
): Promise<Adapter> {
  const { weights, metadata } = await openTensorFile(await adapterFile(await locate(ref, "adapter", model.sources)));
  const bytes = [...weights.values()].reduce((n, w) => n + count(w.shape) * 4, 0);
  if (bytes > LARGEST)
    throw new FileError(ref, `holds ${(bytes / 1e9).toFixed(1)} GB of tensors: a model, not an adapter`);
  const tensors = new Map<string, FloatTensor>();
  for (const [name, weight] of weights) tensors.set(name, float(weight.shape, await readFloats(weight)));
  const adapter = readAdapter(ref, tensors, await layersIn(model), { ...options, metadata });
  return options.only ? { ...adapter, targets: adapter.targets.filter((t) => t.part === options.only) } : adapter;
}

/** Opens what `--lora` names. */
export async function openAdapters(model: Adaptable, references: readonly AdapterReference[]): Promise<AdapterUse[]> {
  const uses: AdapterUse[] = [];
  for (const { ref, scale = "1", on = "both", allowUnmatched = false } of references) {
    uses.push({ adapter: await openAdapter(model, ref, { allowUnmatched }), scale: parseScale(scale), on });
  }
  return uses;
}

/** Adapters on one network of one model: the stack, and the scales that a picture has in a row. */
export interface Equipment {
  readonly stack: Stack;
  /** [slots]. */
  scales(row: number, picture: Picture): number[];
}

const scaleOf = ({ scale = 1 }: AdapterUse): Scale =>
  typeof scale === "number" ? constant(scale) : typeof scale === "function" ? constant(1) : scale;

/** Whether an adapter does nothing in any row of any picture: then it is left out, and the graph is the one without it. */
export function isOff(use: AdapterUse): boolean {
  if (typeof use.scale === "function") return false;
  const { whole, rows } = scaleOf(use);
  return rows.length === 0 ? whole === 0 : rows.every((r) => r.scale === 0);
}

/**
 * Equips a part of a model with adapters; null when none reaches it.
 * @param acts whether an adapter in the stack acts on the model at hand: one that does not has scale 0
 */
export function equip(part: Part, uses: readonly AdapterUse[], acts: (use: AdapterUse) => boolean): Equipment | null {
  const attached = uses.map(
    (use): Attached => ({ adapter: use.adapter, scale: acts(use) ? scaleOf(use) : constant(0) }),
  );
  const stack = stackOn(part, attached);
  if (!stack) return null;
  const varied = uses.find((use) => typeof use.scale === "function");
  if (varied && stack.merged.size > 0) {
    throw new RequestError(
      `${varied.adapter.file} changes weights that are merged; its scale cannot differ between pictures`,
    );
  }
  return {
    stack,
    scales: (row, picture) =>
      stack.scales(
        row,
        uses.map((use) => (acts(use) ? (typeof use.scale === "function" ? use.scale(picture) : undefined) : 0)),
      ),
  };
}

/** The weights of a network as it is drawn under a stack: which layers take inputs beside them, and which weights are inputs themselves. */
export function adaptedWeights(index: WeightIndex, stack: Stack | null): WeightIndex {
  if (!stack) return index;
  const given = [...stack.merged].flatMap(([layer, changes]) => [
    ...(changes.some(({ delta }) => changesWeight(delta)) ? [`${layer}.weight`] : []),
    ...(changes.some(({ delta }) => changesBias(delta)) ? [`${layer}.bias`] : []),
  ]);
  return { ...index, live: stack.live, given: new Set(given.filter((name) => index.weights.has(name))) };
}

/** What a network drawn under a stack is given with every call: factors, and merged weights worked out from the files, which are not touched. */
export async function stackInputs(
  index: WeightIndex,
  stack: Stack,
  names: readonly string[],
): Promise<Record<string, Tensor>> {
  const inputs = stack.factors(names);
  const read = async (name: string): Promise<FloatTensor | null> => {
    const weight = index.weights.get(name);
    return weight ? float(weight.shape, await readFloats(weight)) : null;
  };
  for (const [layer, changes] of stack.merged) {
    const weight = await read(`${layer}.weight`);
    if (!weight) continue;
    const merged = mergeLayer(changes, weight, await read(`${layer}.bias`));
    if (names.includes(`${layer}.weight`)) inputs[`${layer}.weight`] = merged.weight;
    if (merged.bias && names.includes(`${layer}.bias`)) inputs[`${layer}.bias`] = merged.bias;
  }
  return inputs;
}
