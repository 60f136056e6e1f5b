/** Extracts an adapter from the difference of two checkpoints, layer by layer. */
import { statSync } from "node:fs";
import {
  type Adapter,
  changesBias,
  changesWeight,
  type Delta,
  factorise,
  type Keep,
  type LayerShape,
  type Layers,
  PARTS,
  type Part,
  type Target,
} from "../adapters/index.js";
import { type Component, readFloats } from "../checkpoint/index.js";
import { loneFolder, openCheckpoint, openComponentFolder, openUNet } from "../checkpoint/node/index.js";
import { FileError, RequestError } from "../errors.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import { mustBeFinite, productsOn } from "../networks/index.js";
import { layersIn } from "../open/index.js";
import type { Runtime } from "../runtime/index.js";
import { count, type FloatTensor, float, matrix, type Product, type WeightIndex } from "../tensor/index.js";

export interface ExtractRequest {
  /** Original model: a diffusers folder or a UNet folder. */
  readonly from: string;
  /** Changed model: also a file of UNet weights. Text encoders of both models are compared too. */
  readonly to: string;
  /** Rank and energy of the LoRA for each layer; null keeps the full difference. */
  readonly keep: Keep | null;
  /** Keeps the differences of biases and norms too; default false. Implied if `keep` is null. */
  readonly biases?: boolean;
}

/** Result for one layer with a matrix or a kernel. */
export interface ExtractedLayer {
  readonly part: Part;
  readonly layer: string;
  readonly shape: readonly number[];
  /** Rank of the LoRA; null for a full difference. */
  readonly rank: number | null;
  /** Share of the squared difference that is kept. */
  readonly kept: number;
  /** Relative change: norm of the difference over norm of the weight. */
  readonly change: number;
}

export interface Extracted {
  readonly adapter: Adapter;
  readonly layers: readonly ExtractedLayer[];
  /** Layers of the models, needed to write the adapter. */
  readonly model: Layers;
  /** Share of the total squared difference that is kept. */
  readonly kept: number;
  /** Share of the total in biases, norms and embeddings, which a LoRA does not contain. */
  readonly beyond: number;
}

/**
 * Extracts the adapter that turns `from` into `to`, up to `keep`.
 * @throws RequestError when the two differ in shape or are equal; FileError when one cannot be read or is not finite
 */
export async function extractAdapter(
  { from, to, keep, biases = false }: ExtractRequest,
  runtime: Runtime,
  progress: (done: number, total: number, layer: string) => void = () => {},
  lookup: LookupOptions = {},
): Promise<Extracted> {
  const [a, b] = await partsOf(from, to, lookup);
  const model = await layersIn({ parts: a });
  const targets: Target[] = [];
  const layers: ExtractedLayer[] = [];
  const multiply = productsOn(runtime);
  const work = PARTS.filter((part) => a.has(part) && b.has(part));
  const total = work.reduce((n, part) => n + (model.get(part)?.size ?? 0), 0);
  // Squared norms of the difference: total, in layers that a LoRA can contain, and kept.
  let [all, reachable, kept] = [0, 0, 0];
  let done = 0;
  for (const part of work) {
    const [before, after] = [await a.get(part)?.(), await b.get(part)?.()];
    if (!before || !after) continue;
    mustMatch(from, to, before, after);
    const shapes = model.get(part) ?? new Map<string, LayerShape>();
    for (const [layer, { weight: shape }] of shapes) {
      lookup.signal?.throwIfAborted();
      progress(done++, total, layer);
      const weight = await differenceOf(before, after, `${layer}.weight`);
      const bias = await differenceOf(before, after, `${layer}.bias`);
      if (!weight) continue;
      const matrixLike = shape.length > 1;
      all += weight.square + (bias?.square ?? 0);
      if (matrixLike) reachable += weight.square;
      const lora = keep && matrixLike ? await loraOf(weight.tensor, keep, multiply) : null;
      const rest = keep === null || biases ? fullDelta(matrixLike && keep ? null : weight, bias) : null;
      for (const delta of [lora?.delta, rest]) if (delta) targets.push({ part, layer, delta });
      const share = lora?.kept ?? (rest && changesWeight(rest) ? 1 : 0);
      kept += share * weight.square + (rest && changesBias(rest) ? (bias?.square ?? 0) : 0);
      const change = Math.sqrt(weight.square / (weight.before || 1));
      if (share > 0 && matrixLike) {
        layers.push({ part, layer, shape, rank: lora?.rank ?? null, kept: share, change });
      }
    }
    for (const name of before.weights.keys()) {
      if (!shapes.has(name.replace(/\.(weight|bias)$/, "")))
        all += (await differenceOf(before, after, name))?.square ?? 0;
    }
  }
  if (targets.length === 0)
    throw new RequestError(`${to} holds the same weights as ${from}: there is nothing to extract`);
  const adapter = { file: to, dialects: [], targets, unmatched: [], untouched: total - targets.length };
  return { adapter, layers, model, kept: kept / all, beyond: 1 - reachable / all };
}

interface LayerLora {
  readonly delta: Delta;
  readonly rank: number;
  readonly kept: number;
}

async function loraOf({ shape, data }: FloatTensor, keep: Keep, multiply: Product): Promise<LayerLora | null> {
  const [outputs = 0, inputs = 0, ...kernel] = shape;
  const flat = matrix(outputs, inputs * count(kernel), Float64Array.from(data));
  const factors = await factorise(flat, keep, multiply);
  if (!factors) return null;
  const rank = factors.down.rows;
  const down = float([rank, inputs, ...kernel], Float32Array.from(factors.down.data));
  const up = float([outputs, rank], Float32Array.from(factors.up.data));
  return { delta: { kind: "low-rank", down, up, mid: null, alpha: rank, magnitude: null }, rank, kept: factors.kept };
}

/** Full differences of weight and bias; null without a difference. */
function fullDelta(weight: Difference | null, bias: Difference | null): Delta | null {
  const [w, b] = [weight, bias].map((d) => (d && d.square > 0 ? d.tensor : null));
  return w || b ? { kind: "difference", weight: w ?? null, bias: b ?? null } : null;
}

type Parts = ReadonlyMap<Part, () => Promise<WeightIndex>>;

/** Parts of both models that adapters can target. A file of UNet weights takes the config from `from`. */
async function partsOf(from: string, to: string, lookup: LookupOptions): Promise<readonly [Parts, Parts]> {
  const first = await componentsOf(await locate(from, "model", lookup));
  const path = await locate(to, "model", lookup);
  const unet = first.get("unet");
  if (statSync(path, { throwIfNoEntry: false })?.isFile() && unet) {
    const opened = await openUNet(path, unet);
    if (opened.lora) throw new FileError(to, "is a LoRA; expected a model");
    return [weightsOf(first), weightsOf(new Map([["unet", opened.unet]]))];
  }
  return [weightsOf(first), weightsOf(await componentsOf(path))];
}

async function componentsOf(path: string): Promise<ReadonlyMap<string, Component>> {
  const lone = await loneFolder(path);
  return lone === null ? (await openCheckpoint(path)).components : new Map([["unet", await openComponentFolder(lone)]]);
}

const weightsOf = (components: ReadonlyMap<string, Component>): Parts =>
  new Map(
    PARTS.flatMap((part) => {
      const component = components.get(part);
      return component ? [[part, component.weights] as const] : [];
    }),
  );

/** Checks that both models have the same tensors with the same shapes. @throws RequestError */
function mustMatch(from: string, to: string, before: WeightIndex, after: WeightIndex): void {
  for (const [name, { shape }] of before.weights) {
    const other = after.weights.get(name)?.shape;
    if (other?.join() === shape.join()) continue;
    const has = other ? `[${other.join(", ")}]` : "missing";
    throw new RequestError(
      `${to} and ${from} have different architectures: ${name} is ${has} in ${to}, and [${shape.join(", ")}] in ${from}`,
    );
  }
}

/** after − before of one tensor, with the squared norms of the difference and of `before`. */
interface Difference {
  readonly tensor: FloatTensor;
  readonly square: number;
  readonly before: number;
}

/** Difference of a tensor; null if one of the models does not have it. */
async function differenceOf(before: WeightIndex, after: WeightIndex, name: string): Promise<Difference | null> {
  const [one, two] = [before.weights.get(name), after.weights.get(name)];
  if (!one || !two) return null;
  const [a, b] = [await readFloats(one), await readFloats(two)];
  mustBeFinite(one, a);
  mustBeFinite(two, b);
  const difference = b.map((v, i) => v - (a[i] ?? 0));
  const square = (data: Float32Array) => data.reduce((s, v) => s + v * v, 0);
  return { tensor: float(one.shape, difference), square: square(difference), before: square(a) };
}
