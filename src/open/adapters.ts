/** Opens adapter files against the layers of a model. */
import {
  type Adapter,
  type AdapterDescription,
  describeAdapter,
  type LayerShape,
  type Layers,
  layersOf,
  type Part,
  readAdapter,
} from "../adapters/index.js";
import { tensorsOf } from "../checkpoint/index.js";
import { adapterConfig, adapterFile, openWeights } from "../checkpoint/node/index.js";
import { AdapterShapeError, FileError, RequestError } from "../errors.js";
import type { Family } from "../families/index.js";
import { type AdapterUse, openUses } from "../generate/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import { count, formatBytes, type WeightIndex } from "../tensor/index.js";
import type { AdapterReference } from "./reference.js";

/** Parts of a model that adapters can target. */
export interface Adaptable {
  readonly parts: ReadonlyMap<Part, () => Promise<WeightIndex>>;
  /** Default: the family whose text features the UNet reads. */
  readonly family?: Family;
  /** Lookup options for adapter files. */
  readonly lookup?: LookupOptions;
}

/** Layers of a model, by part. */
export async function layersIn({ parts }: Adaptable): Promise<Layers> {
  const found = new Map<Part, ReadonlyMap<string, LayerShape>>();
  for (const [part, weights] of parts) {
    found.set(part, layersOf([...(await weights()).weights].map(([name, w]) => [name, w.shape] as const)));
  }
  return found;
}

/** Maximum size of an adapter in bytes. The largest known ones hold about two gigabytes. */
const LARGEST = 4e9;

const familyOf = ({ family }: Adaptable) => (family === undefined ? {} : { family });

/** An adapter file before it is matched to a model. */
async function readFile(ref: string, lookup: LookupOptions | undefined) {
  const file = await adapterFile(await locate(ref, "adapter", lookup));
  const index = await openWeights(file);
  const bytes = [...index.weights.values()].reduce((n, w) => n + count(w.shape) * 4, 0);
  if (bytes > LARGEST) throw new FileError(ref, `holds ${formatBytes(bytes)} of tensors: a model, not an adapter`);
  const config = await adapterConfig(file);
  return { tensors: await tensorsOf(index), strength: { metadata: index.metadata, ...(config && { config }) } };
}

/**
 * Opens an adapter for a model.
 * @throws FileError when the file is not an adapter; RequestError when it was made for another model
 */
export async function openAdapter(
  model: Adaptable,
  ref: string,
  options: { readonly allowUnmatched?: boolean; readonly only?: Part } = {},
): Promise<Adapter> {
  const { tensors, strength } = await readFile(ref, model.lookup);
  const { only, ...rest } = options;
  const adapter = readAdapter(ref, tensors, await layersIn(model), { ...rest, ...strength, ...familyOf(model) });
  return only ? { ...adapter, targets: adapter.targets.filter((t) => t.part === only) } : adapter;
}

/** What an adapter file holds, and the adapter if it fits a model. */
export interface InspectedAdapter {
  readonly description: AdapterDescription;
  readonly adapter: Adapter | null;
  /** Why the file does not fit the model; null if it does. */
  readonly problem: string | null;
}

/** Describes an adapter file, and matches it to a model. @throws FileError when it is not an adapter, or cannot be read */
export async function inspectAdapter(model: Adaptable, ref: string): Promise<InspectedAdapter> {
  const { tensors, strength } = await readFile(ref, model.lookup);
  const description = describeAdapter(ref, tensors, strength);
  if (description === null) throw new FileError(ref, "is not an adapter: no key has an adapter's suffix");
  try {
    const options = { ...strength, ...familyOf(model), allowUnmatched: true };
    const adapter = readAdapter(ref, tensors, await layersIn(model), options);
    return { description, adapter, problem: null };
  } catch (error) {
    // Files of unsupported kinds and of other models are described too.
    if (error instanceof RequestError || error instanceof FileError || error instanceof AdapterShapeError) {
      return { description, adapter: null, problem: error.message };
    }
    throw error;
  }
}

/** Opens the adapters of a request, with their scales. */
export const openAdapters = (model: Adaptable, references: readonly AdapterReference[]): Promise<AdapterUse[]> =>
  openUses((ref, options) => openAdapter(model, ref, options), references);
