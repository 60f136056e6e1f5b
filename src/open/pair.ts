/** Opens a pair of models in three steps: locate its references, read its files, bind them to a runtime. */
import type { Additions } from "../assembly/index.js";
import type { PlanSource } from "../generate/index.js";
import { mustCompute } from "../networks/index.js";
import { openRuntime } from "../runtime/node/index.js";
import { openAdapter, openAdapters } from "./adapters.js";
import { bindPair, type OpenedPair } from "./bind.js";
import { calibratedOf } from "./calibrations.js";
import { fastestCompute } from "./fastest.js";
import { knownPair } from "./known.js";
import { locatePair, rowOf } from "./locate.js";
import { type PairFiles, readPair } from "./read.js";
import { checkReferenceFields, type OpenOptions, type PairReference } from "./reference.js";
import { openTextualInversions } from "./textual-inversion.js";

/**
 * Opens a pair. Configs and weight headers are read and checked now; networks load when a run first needs them.
 * @param reference models, by default the embedded pair, and options
 * @param moreOptions options, which go before those of `reference`
 * @throws FileError, UnsupportedConfigError when a part cannot be used; RequestError for a field that does not exist and when the parts do
 * not fit together
 * @example
 * await using pair = await openPair({ base: "models/sdxl-base", distilled: "models/dmd2/unet", device: "webgpu" });
 */
export async function openPair(
  reference: PairReference & OpenOptions = {},
  moreOptions: OpenOptions = {},
): Promise<OpenedPair> {
  const options = { ...checkReferenceFields(reference), ...checkReferenceFields(moreOptions) };
  const { threads } = options;
  if (reference.compute !== "auto") mustCompute(reference.compute ?? "float32", options.device ?? "cpu");
  const files = await withCalibration(await readFiles(reference, options));
  const additions = await openAdditions(files, reference);
  const { device, compute = "float32" } =
    reference.compute === "auto"
      ? await fastestCompute(files, options, (found) => openPair({ ...reference, ...found }, { ...options, ...found }))
      : { device: options.device, compute: reference.compute };
  const runtime = openRuntime({ ...(device && { device }), ...(threads !== undefined && { threads }) });
  try {
    return await bindPair(files, additions, runtime, compute, options);
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
  if (reference.compute !== "auto") mustCompute(reference.compute ?? "float32", options.device ?? "cpu");
  const row = await rowOf(reference);
  const known = row && reference.base === undefined && reference.distilled === undefined ? knownPair(row) : null;
  return withCalibration(known ?? (await readFiles(reference, options)));
}

/** A pair with the setting that a calibration on this machine found. */
const withCalibration = async <P extends PlanSource>(pair: P): Promise<P> => ({
  ...pair,
  calibrated: await calibratedOf(pair),
});

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
