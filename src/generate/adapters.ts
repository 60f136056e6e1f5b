/** Adapters in a run: the model each acts on, its scale, and the stacks they make on the networks of a model. */
import {
  type Adapter,
  type Attached,
  constant,
  isZero,
  type Part,
  type Scale,
  type Stack,
  stackOn,
} from "../adapters/index.js";
import type { ModelName } from "../sampling/index.js";
import type { SampleKey } from "./sample.js";

/** An adapter in use. */
export interface AdapterUse {
  readonly adapter: Adapter;
  readonly scale: Scale;
  readonly on: "both" | ModelName;
}

/** Adapters bound to one network of a model: the stack, and the scales in a row of the plan. */
export interface AdapterBinding {
  readonly stack: Stack;
  /** Scales [S] of one sample in a row of the plan: one for each adapter and block. */
  scales(row: number, sample: SampleKey): number[];
}

/** Has an adapter no effect in any row? Then it is left out, and the graph is the one without it. */
export const isOff = ({ scale }: AdapterUse): boolean => isZero(scale);

/**
 * Binds adapters to a part of a model; null when none reaches it.
 * @param acts false for an adapter of the stack that does not act on this model: its scale is 0
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
