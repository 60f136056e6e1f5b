/** Plans and memory needs of a named pair from its row alone, without its files. */
import { isLoraRow, type PairRow } from "../catalogue/index.js";
import { FAMILIES, factsOf } from "../families/index.js";
import { type MemoryNeed, type PlanSource, strategyNeeds, type WeightSize } from "../generate/index.js";
import type { Compute } from "../networks/index.js";
import { BYTES } from "../tensor/index.js";

/** Pixels per latent along each side, of all families. */
const SCALE_FACTOR = 8;

/** Plan source of a named pair; null if its row has no scheduler config of the base. */
export function knownPair(row: PairRow): PlanSource | null {
  if (!row.scheduler) return null;
  const scheduler = { file: `the pair ${row.name}`, config: row.scheduler, pair: row.name };
  const { family, base, distilled, guidanceFeatures } = row;
  const { embedded } = factsOf(family).sampling;
  const ofDistilled = embedded?.of === "distilled";
  const embedsGuidance = embedded !== undefined && !ofDistilled;
  const { side, pixelsPerToken } = factsOf(family).latents;
  const size = row.size ?? { width: SCALE_FACTOR * side, height: SCALE_FACTOR * side };
  return {
    row,
    family,
    ...(pixelsPerToken !== undefined && { image: { size, pixelsPerToken } }),
    base: { ref: base, scheduler, embedsGuidance },
    distilled: {
      ref: distilled,
      isLora: isLoraRow(row),
      scheduler: row.distilledScheduler ? { ...scheduler, config: row.distilledScheduler } : scheduler,
      embedsGuidance: guidanceFeatures !== null || ofDistilled || (embedsGuidance && isLoraRow(row)),
    },
  };
}

/**
 * Memory for the weights of a named pair, from the number of parameters in its row. Null without that number, and for int8, where the
 * share of quantised matrices is known from files only.
 */
export function memoryNeedsOfRow(row: PairRow, compute: Compute = "float32"): MemoryNeed[] | null {
  const { parameters, textParameters, family } = row;
  if (parameters === null || compute === "int8") return null;
  // Stored in half precision, like the Hub's files.
  const half = (n: number): WeightSize => {
    const stored = n * BYTES.float16;
    return { bytes: n * BYTES[compute], stored, packed: stored };
  };
  const { text, decoder } = FAMILIES[family].parameters;
  return strategyNeeds({
    text: half(textParameters ?? text),
    base: half(parameters),
    distilled: half(parameters),
    decoder: half(decoder),
    isLora: isLoraRow(row),
  });
}
