/** Adapters of a run: their scales, the models they apply to, and their stacks on the networks of a model. */
import {
  type Adapter,
  type Attached,
  constant,
  isZero,
  type Part,
  resolveScale,
  type Scale,
  type Stack,
  stackOn,
} from "../adapters/index.js";
import type { ModelName } from "../sampling/index.js";
import type { GenerateRequest } from "./request.js";
import type { SampleKey } from "./sample.js";

/** Adapter with its scale and the models it applies to. */
export interface AdapterUse {
  readonly adapter: Adapter;
  readonly scale: Scale;
  readonly on: "both" | ModelName;
}

/** Opens the adapters of a request in order, with their scales. */
export async function openUses(
  open: (ref: string, options: { readonly allowUnmatched: boolean }) => Promise<Adapter>,
  references: NonNullable<GenerateRequest["adapters"]>,
): Promise<AdapterUse[]> {
  const uses: AdapterUse[] = [];
  for (const { ref, scale = 1, on = "both", allowUnmatched = false } of references) {
    uses.push({ adapter: await open(ref, { allowUnmatched }), scale: resolveScale(scale), on });
  }
  return uses;
}

/** Adapters bound to one network of a model: the stack, and its scales at each row of the plan. */
export interface AdapterBinding {
  readonly stack: Stack;
  /** Scales [S] of one sample at a row of the plan: one for each adapter and block. */
  scales(row: number, sample: SampleKey): number[];
}

/** True if the scale is 0 at every row. Such an adapter is left out of the graph. */
export const isOff = ({ scale }: AdapterUse): boolean => isZero(scale);

/**
 * Binds adapters to a part of a model; null when no adapter targets the part.
 * @param acts false for adapters that do not apply to this model; they stay in the stack with scale 0
 * @throws RequestError when a kind that is merged into weights has a scale by row or sample
 */
export function bindAdapters(
  part: Part,
  uses: readonly AdapterUse[],
  acts: (use: AdapterUse) => boolean,
): AdapterBinding | null {
  const attached = uses.map((use): Attached => ({ adapter: use.adapter, scale: acts(use) ? use.scale : constant(0) }));
  const stack = stackOn(part, attached);
  return stack && { stack, scales: stack.scales };
}
