/** What one model has learned since another, as an adapter: the difference of two checkpoints, layer by layer. */
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
  /** A diffusers folder or a UNet folder. */
  readonly from: string;
  /** The same, or a file of UNet weights. Text encoders that both have are compared too. */
  readonly to: string;
  /** How much of each layer's difference to keep, as a LoRA; null keeps all of it, as it is. */
  readonly keep: Keep | null;
  /** Differences of biases and norms too, as they are; default false. Without `keep` they are always there. */
  readonly biases?: boolean;
}

/** What became of one layer with a matrix or a kernel. */
export interface ExtractedLayer {
  readonly part: Part;
  readonly layer: string;
  readonly shape: readonly number[];
  /** Null where the difference is kept as it is. */
  readonly rank: number | null;
  /** Share of the squared difference that is kept. */
  readonly kept: number;
  /** Length of the difference over the length of the weight. */
  readonly change: number;
}

export interface Extracted {
  readonly adapter: Adapter;
  readonly layers: readonly ExtractedLayer[];
  /** Layers of the models, for whoever writes the adapter. */
  readonly model: Layers;
  /** Share of the whole squared difference that the adapter has. */
  readonly kept: number;
  /** Share that lies in biases, norms and embeddings, which a LoRA does not reach. */
  readonly beyond: number;
}

/**
 * The adapter that makes `from` into `to`, as far as `keep` says.
 * @throws RequestError when the two are of different shapes or the same; FileError when one cannot be read or is not finite
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
  // Squared lengths of the difference: of everything, of what a LoRA can reach, of what is kept.
  let [all, reach, held] = [0, 0, 0];
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
      if (matrixLike) reach += weight.square;
      const lora = keep && matrixLike ? await loraOf(weight.tensor, keep, multiply) : null;
      const rest = keep === null || biases ? wholeOf(matrixLike && keep ? null : weight, bias) : null;
      for (const delta of [lora?.delta, rest]) if (delta) targets.push({ part, layer, delta });
      const kept = lora?.kept ?? (rest && changesWeight(rest) ? 1 : 0);
      held += kept * weight.square + (rest && changesBias(rest) ? (bias?.square ?? 0) : 0);
      const change = Math.sqrt(weight.square / (weight.before || 1));
      if (kept > 0 && matrixLike) layers.push({ part, layer, shape, rank: lora?.rank ?? null, kept, change });
    }
    for (const name of before.weights.keys()) {
      if (!shapes.has(name.replace(/\.(weight|bias)$/, "")))
        all += (await differenceOf(before, after, name))?.square ?? 0;
    }
  }
  if (targets.length === 0)
    throw new RequestError(`${to} holds the same weights as ${from}: there is nothing to extract`);
  const adapter = { file: to, dialects: [], targets, unmatched: [], untouched: total - targets.length };
  return { adapter, layers, model, kept: held / all, beyond: 1 - reach / all };
}

interface Made {
  readonly delta: Delta;
  readonly rank: number;
  readonly kept: number;
}

async function loraOf({ shape, data }: FloatTensor, keep: Keep, multiply: Product): Promise<Made | null> {
  const [outputs = 0, inputs = 0, ...kernel] = shape;
  const flat = matrix(outputs, inputs * count(kernel), Float64Array.from(data));
  const factors = await factorise(flat, keep, multiply);
  if (!factors) return null;
  const rank = factors.down.rows;
  const down = float([rank, inputs, ...kernel], Float32Array.from(factors.down.data));
  const up = float([outputs, rank], Float32Array.from(factors.up.data));
  return { delta: { kind: "low-rank", down, up, mid: null, alpha: rank, magnitude: null }, rank, kept: factors.kept };
}

/** Differences as they are; null where there are none. */
function wholeOf(weight: Difference | null, bias: Difference | null): Delta | null {
  const [w, b] = [weight, bias].map((d) => (d && d.square > 0 ? d.tensor : null));
  return w || b ? { kind: "difference", weight: w ?? null, bias: b ?? null } : null;
}

type Parts = ReadonlyMap<Part, () => Promise<WeightIndex>>;

/** The networks of both that adapters reach. A file of weights has the UNet's config of `from`. */
async function partsOf(from: string, to: string, lookup: LookupOptions): Promise<readonly [Parts, Parts]> {
  const first = await componentsOf(await locate(from, "model", lookup));
  const path = await locate(to, "model", lookup);
  const unet = first.get("unet");
  if (statSync(path, { throwIfNoEntry: false })?.isFile() && unet) {
    const opened = await openUNet(path, unet);
    if (opened.lora) throw new FileError(to, "is a LoRA already; expected a model");
    return [weightsOf(first), weightsOf(new Map([["unet", opened.unet]]))];
  }
  return [weightsOf(first), weightsOf(await componentsOf(path))];
}

async function componentsOf(path: string): Promise<ReadonlyMap<string, Component>> {
  const lone = loneFolder(path);
  return lone === null ? (await openCheckpoint(path)).components : new Map([["unet", await openComponentFolder(lone)]]);
}

const weightsOf = (components: ReadonlyMap<string, Component>): Parts =>
  new Map(
    PARTS.flatMap((part) => {
      const component = components.get(part);
      return component ? [[part, component.weights] as const] : [];
    }),
  );

/** Two models differ by an adapter when every tensor of one is in the other, in the same shape. */
function mustMatch(from: string, to: string, before: WeightIndex, after: WeightIndex): void {
  for (const [name, { shape }] of before.weights) {
    const other = after.weights.get(name)?.shape;
    if (other?.join() === shape.join()) continue;
    const has = other ? `[${other.join(", ")}]` : "not there";
    throw new RequestError(`${to} is no relative of ${from}: ${name} is ${has}, and [${shape.join(", ")}] in ${from}`);
  }
}

/** after − before of one tensor, with the squared lengths of the difference and of what was before. */
interface Difference {
  readonly tensor: FloatTensor;
  readonly square: number;
  readonly before: number;
}

/** Null where there is no such tensor. */
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
