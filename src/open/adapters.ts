/** Opens adapter files against the layers of a model. */
import { type Adapter, type LayerShape, type Layers, layersOf, type Part, readAdapter } from "../adapters/index.js";
import { tensorsOf } from "../checkpoint/index.js";
import { adapterConfig, adapterFile, openWeights } from "../checkpoint/node/index.js";
import { FileError } from "../errors.js";
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

/**
 * Opens an adapter for a model.
 * @throws FileError when the file is not an adapter; RequestError when it was made for another model
 */
export async function openAdapter(
  model: Adaptable,
  ref: string,
  options: { readonly allowUnmatched?: boolean; readonly only?: Part } = {},
): Promise<Adapter> {
  const file = await adapterFile(await locate(ref, "adapter", model.lookup));
  const index = await openWeights(file);
  const bytes = [...index.weights.values()].reduce((n, w) => n + count(w.shape) * 4, 0);
  if (bytes > LARGEST) throw new FileError(ref, `holds ${formatBytes(bytes)} of tensors: a model, not an adapter`);
  const config = await adapterConfig(file);
  const adapter = readAdapter(ref, await tensorsOf(index), await layersIn(model), {
    ...options,
    metadata: index.metadata,
    ...(config && { config }),
    ...(model.family && { family: model.family }),
  });
  return options.only ? { ...adapter, targets: adapter.targets.filter((t) => t.part === options.only) } : adapter;
}

/** Opens the adapters of a request, with their scales. */
export const openAdapters = (model: Adaptable, references: readonly AdapterReference[]): Promise<AdapterUse[]> =>
  openUses((ref, options) => openAdapter(model, ref, options), references);
