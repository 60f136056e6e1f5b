/** Opens adapter files against the layers of a model. */
import { type Adapter, type LayerShape, type Layers, layersOf, type Part, readAdapter } from "../adapters/index.js";
import { adapterConfig, adapterFile, type FileSystem, readWeights, tensorsOf } from "../checkpoint/index.js";
import { FileError } from "../errors.js";
import type { Family } from "../families/index.js";
import { count, formatBytes, type WeightIndex } from "../tensor/index.js";
import type { ModelPlace } from "./place.js";

/** Parts of a model that adapters can target. */
export interface Adaptable {
  readonly parts: ReadonlyMap<Part, () => Promise<WeightIndex>>;
  /** Default: the family whose text features the UNet reads. */
  readonly family?: Family;
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

/** Family of a model, for `readAdapter`. */
export const familyOf = ({ family }: Adaptable) => (family === undefined ? {} : { family });

/** Tensors and strength of an adapter file, before it is matched to a model. @throws FileError */
export async function readAdapterFile(files: FileSystem, { ref, path }: ModelPlace) {
  const file = await adapterFile(files, path);
  const index = await readWeights(await files.open(file));
  const bytes = [...index.weights.values()].reduce((n, w) => n + count(w.shape) * 4, 0);
  if (bytes > LARGEST) throw new FileError(ref, `holds ${formatBytes(bytes)} of tensors: a model, not an adapter`);
  const config = await adapterConfig(files, file);
  return { tensors: await tensorsOf(index), strength: { metadata: index.metadata, ...(config && { config }) } };
}

/**
 * Opens an adapter for a model.
 * @throws FileError when the file is not an adapter; RequestError when it was made for another model
 */
export async function openAdapterAt(
  files: FileSystem,
  model: Adaptable,
  place: ModelPlace,
  options: { readonly allowUnmatched?: boolean; readonly only?: Part } = {},
): Promise<Adapter> {
  const { tensors, strength } = await readAdapterFile(files, place);
  const { only, ...rest } = options;
  const adapter = readAdapter(place.ref, tensors, await layersIn(model), { ...rest, ...strength, ...familyOf(model) });
  return only ? { ...adapter, targets: adapter.targets.filter((t) => t.part === only) } : adapter;
}
