/** Opens a pair of models in three steps: locate its references, read its files, bind them to a runtime. */
import type { PlanSource } from "../generate/index.js";
import { mustCompute } from "../networks/index.js";
import { openRuntime } from "../runtime/node/index.js";
import { openAdapter, openAdapters } from "./adapters.js";
import { type Additions, bindPair, type OpenedPair } from "./bind.js";
import { knownPair } from "./known.js";
import { locatePair, rowOf } from "./locate.js";
import { type PairFiles, readPair } from "./read.js";
import type { OpenOptions, PairReference } from "./reference.js";
import { openTextualInversions } from "./textual-inversion.js";

/**
 * Opens a pair. Configs and weight headers are read and checked now; networks load when a run first needs them.
 * @throws FileError, UnsupportedConfigError when a part cannot be used; RequestError when the parts do not fit together
 * @example
 * const pair = await openPair({ base: "models/sdxl-base", distilled: "models/dmd2/unet" });
 */
export async function openPair(reference: PairReference = {}, options: OpenOptions = {}): Promise<OpenedPair> {
  mustCompute(reference.compute ?? "float32", options.device ?? "cpu");
  const files = await readFiles(reference, options);
  const additions = await openAdditions(files, reference);
  const { device, threads } = options;
  const runtime = openRuntime({ ...(device && { device }), ...(threads !== undefined && { threads }) });
  try {
    return await bindPair(files, additions, runtime, reference, options);
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

/** Locates and reads the files of a pair. Starts no runtime. @throws as openPair */
export async function readFiles(reference: PairReference = {}, options: OpenOptions = {}): Promise<PairFiles> {
  return readPair(await locatePair(reference, options));
}

/** Opens the part of a pair that `planFor` needs, from its row if that is enough, else from its files. Starts no runtime. */
export async function openPlanSource(reference: PairReference, options: OpenOptions = {}): Promise<PlanSource> {
  mustCompute(reference.compute ?? "float32", options.device ?? "cpu");
  const row = await rowOf(reference);
  const known = row && reference.base === undefined && reference.distilled === undefined ? knownPair(row) : null;
  return known ?? (await readFiles(reference, options));
}

async function openAdditions(files: PairFiles, reference: PairReference): Promise<Additions> {
  const { located, distilled, textEncoders, lookup } = files;
  const { adapters = [], embeddings = [], allowUnmatched = false } = reference;
  return {
    lora: distilled?.isLora
      ? await openAdapter(files, located.distilled?.path ?? "", { only: "unet", allowUnmatched: false })
      : null,
    adapters: await openAdapters(
      files,
      adapters.map((adapter) => ({ allowUnmatched, ...adapter })),
    ),
    embeddings: await openTextualInversions(
      embeddings,
      textEncoders.map((e) => e.config.features),
      lookup,
    ),
  };
}
