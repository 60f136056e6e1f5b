/** Memory that a page has for models: what WebAssembly can address, and what the browser tells of the device. */
import { memoryNeedsOfParts, type PairParts } from "../assembly/index.js";
import { MachineError } from "../errors.js";
import { memoryUses } from "../generate/index.js";
import type { Compute } from "../networks/index.js";
import { ADDRESSABLE } from "../runtime/web/index.js";
import { formatBytes } from "../tensor/index.js";

/** Share of the memory that a run may use. */
const SHARE = 0.75;

/** Default memory budget in bytes. Browsers tell the device's memory roughly, and at most 8 GB. */
export function defaultBudget(): number {
  const told = "deviceMemory" in navigator ? Number(navigator.deviceMemory) * 2 ** 30 : ADDRESSABLE;
  return SHARE * Math.min(ADDRESSABLE, told);
}

/**
 * Precision of a pair in WebAssembly, which must hold its weights, one network at a time if need be: the asked one, else float32 where it fits,
 * and int8 otherwise.
 * @throws MachineError when the weights do not fit, with their size and a smaller choice
 */
export async function computeThatFits(parts: PairParts, asked: Compute | undefined, budget: number): Promise<Compute> {
  const least = async (type: Compute) =>
    Math.min(...memoryUses(await memoryNeedsOfParts(parts, type), budget).map(({ bytes }) => bytes));
  const compute = asked ?? "float32";
  const bytes = await least(compute);
  if (bytes <= ADDRESSABLE) return compute;
  const quantised = compute === "int8" ? bytes : await least("int8");
  const fits = quantised <= ADDRESSABLE;
  if (fits && asked === undefined) return "int8";
  const advice = fits
    ? `leave compute out for int8, which needs ${formatBytes(quantised)}`
    : "take a smaller model, or, for a large decoder, a TAESD as decoder";
  const [need, of] = fits ? [bytes, compute] : [quantised, "int8"];
  throw new MachineError(
    `the weights of these models need ${formatBytes(need)} in ${of}; WebAssembly in a browser addresses ${formatBytes(ADDRESSABLE)}\n${advice}`,
  );
}
