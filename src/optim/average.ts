/** Exponential moving average of parameters, as diffusers' EMAModel keeps it. */
import { float } from "../tensor/index.js";
import { mapTensors, type Tensors } from "./optimizer.js";

export interface AverageOptions {
  /** Largest decay, 0…1. Default 0.9999. */
  readonly decay?: number;
  /** Decay of step n is at most 1 − (1 + n)^(−power), where it is given (γ = 1, Karras' warm-up); default (1 + n)/(10 + n). */
  readonly power?: number;
}

/** Decay after n updates. */
export function decayAt(n: number, { decay = 0.9999, power }: AverageOptions = {}): number {
  const step = Math.max(0, n - 1);
  if (step <= 0) return 0;
  return Math.min(decay, power === undefined ? (1 + step) / (10 + step) : 1 - (1 + step) ** -power);
}

/** Average after update n (1 for the first), from the average before it and the parameters after it. */
export const averaged = (average: Tensors, parameters: Tensors, n: number, o: AverageOptions = {}): Tensors =>
  mixed(average, parameters, decayAt(n, o));

/** decay · average + (1 − decay) · parameters. */
export function mixed(average: Tensors, parameters: Tensors, decay: number): Tensors {
  return mapTensors(parameters, ({ shape, data }, name) => {
    const before = average[name]?.data ?? data;
    return float(
      shape,
      data.map((v, i) => (before[i] ?? 0) - (1 - decay) * ((before[i] ?? 0) - v)),
    );
  });
}
