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
 * Checks that the weights of a pair can be loaded into WebAssembly, one network at a time if need be.
 * @throws MachineError with their size and a smaller choice
 */
export async function mustFit(parts: PairParts, compute: Compute, budget: number): Promise<void> {
  const least = async (type: Compute) =>
    Math.min(...memoryUses(await memoryNeedsOfParts(parts, type), budget).map(({ bytes }) => bytes));
  const bytes = await least(compute);
  if (bytes <= ADDRESSABLE) return;
  const quantised = compute === "int8" ? bytes : await least("int8");
  const advice =
    quantised <= ADDRESSABLE
      ? `take int8 as compute, which needs ${formatBytes(quantised)}`
      : "take a smaller model, or, for a large decoder, a TAESD as decoder";
  throw new MachineError(
    `the weights of these models need ${formatBytes(bytes)} in ${compute}; WebAssembly in a browser addresses ${formatBytes(ADDRESSABLE)}\n${advice}`,
  );
}
