/** Opens adapter files against the layers of a model, by reference. */
import {
  type Adapter,
  type AdapterDescription,
  describeAdapter,
  fitting,
  type Part,
  readAdapter,
} from "../adapters/index.js";
import * as assembly from "../assembly/index.js";
import { familyOf, layersIn, readAdapterFile } from "../assembly/index.js";
import { readWeights, shapesOf } from "../checkpoint/index.js";
import { adapterFile, disk, openFile } from "../checkpoint/node/index.js";
import { AdapterShapeError, FileError, RequestError, VariegateError } from "../errors.js";
import { type AdapterUse, openUses } from "../generate/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import type { AdapterReference } from "./reference.js";

/** Parts of a model that adapters can target. */
export interface Adaptable extends assembly.Adaptable {
  /** Lookup options for adapter files. */
  readonly lookup?: LookupOptions;
}

const placeOf = async (ref: string, { lookup }: Adaptable) => ({ ref, path: await locate(ref, "adapter", lookup) });

/**
 * Opens an adapter for a model.
 * @throws FileError when the file is not an adapter; RequestError when it was made for another model
 */
export const openAdapter = async (
  model: Adaptable,
  ref: string,
  options: { readonly allowUnmatched?: boolean; readonly only?: Part } = {},
): Promise<Adapter> => assembly.openAdapterAt(disk, model, await placeOf(ref, model), options);

/** Those of these files that are adapters of a model, by the names and shapes in their headers: no values are read. */
export async function adaptersOf(model: Adaptable, files: readonly string[]): Promise<ReadonlySet<string>> {
  const compare = fitting(await layersIn(model));
  const fits = async (file: string): Promise<boolean> => {
    try {
      const { weights } = await readWeights(await openFile(await adapterFile(file)));
      return weights.size > 0 && compare(shapesOf(weights)).fits;
    } catch (error) {
      if (error instanceof VariegateError) return false;
      throw error;
    }
  };
  const found = await Promise.all(files.map(async (file) => ((await fits(file)) ? [file] : [])));
  return new Set(found.flat());
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
  const { tensors, strength } = await readAdapterFile(disk, await placeOf(ref, model));
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
