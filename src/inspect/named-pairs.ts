/** Finds the named pairs of a model's architecture. */
import { PAIRS, type PairRow } from "../catalogue/index.js";
import { openCheckpoint } from "../checkpoint/node/index.js";
import { FAMILIES, type Family } from "../families/index.js";
import { resolveReference } from "../lookup/index.js";
import { parameterCount } from "./components.js";

/** Relative tolerance of parameter counts, which rows state to three digits. */
const TOLERANCE = 0.003;

/** Named pairs whose UNet has this number of parameters. path: of the model, for pairs of the package. */
export async function pairsOfSize(parameters: number, path: string): Promise<string[]> {
  const found: string[] = [];
  for (const row of PAIRS) {
    const size = row.parameters ?? (await embeddedSize(row));
    const isItself = row.parameters === null && resolveReference(row.distilled) === path;
    if (isItself || (size !== null && Math.abs(size - parameters) <= TOLERANCE * size)) found.push(row.name);
  }
  return found;
}

/** Parameters of the UNet of a pair in the package. */
async function embeddedSize(row: PairRow): Promise<number | null> {
  const unet = (await openCheckpoint(resolveReference(row.base))).components.get("unet");
  return unet ? parameterCount(await unet.weights()) : null;
}

/** Named pairs of a family, for an adapter or a textual inversion. */
export const pairsOfFamily = (family: Family | null): string[] =>
  family === null
    ? []
    : PAIRS.filter((row) => row.parameters === FAMILIES[family].parameters.denoiser).map((row) => row.name);
