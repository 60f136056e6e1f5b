/** Plans and memory needs from a named pair's row alone, before any file of it is there. */
import type { PairRow } from "../catalogue/index.js";
import { FAMILIES } from "../families/index.js";
import { type MemoryNeed, type PlanSource, strategyNeeds, type WeightSize } from "../generate/index.js";
import type { Compute } from "../networks/index.js";
import { BYTES } from "../tensor/index.js";

/** The plan source of a named pair; null where its row does not hold the base's scheduler config. */
export function knownPair(row: PairRow): PlanSource | null {
  if (!row.scheduler) return null;
  const scheduler = { file: `the pair ${row.name}`, config: row.scheduler };
  const { family, base, distilled, guidanceFeatures } = row;
  return {
    row,
    family,
    base: { ref: base, scheduler, embedsGuidance: false },
    distilled: { ref: distilled, scheduler, embedsGuidance: guidanceFeatures !== null },
  };
}

/**
 * Memory for the weights of a named pair, from the parameters its row states; null where it states none, or for int8, since only files
 * tell how much of a network is matrices.
 */
export function memoryNeedsOfRow(
  { parameters, family, distilled }: PairRow,
  compute: Compute = "float32",
): MemoryNeed[] | null {
  if (parameters === null || compute === "int8") return null;
  // Half precision on disk, as the Hub's files are.
  const half = (n: number): WeightSize => ({ bytes: n * BYTES[compute], stored: n * BYTES.float16 });
  const { text, decoder } = FAMILIES[family].parameters;
  return strategyNeeds({
    text: half(text),
    base: half(parameters),
    distilled: half(parameters),
    decoder: half(decoder),
    isLora: /lora/i.test(distilled),
  });
}
