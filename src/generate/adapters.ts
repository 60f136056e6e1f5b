/** Adapters in a run: the model each acts on, its scale, and the stacks they make on the networks of a model. */
import {
  type Adapter,
  type Attached,
  constant,
  type Part,
  type Scale,
  type Stack,
  stackOn,
} from "../adapters/index.js";
import { RequestError } from "../errors.js";
import type { ModelName } from "../sampling/index.js";
import type { SampleKey } from "./sample.js";

/** An adapter in use. */
export interface AdapterUse {
  readonly adapter: Adapter;
  readonly scale: Scale;
  readonly on: "both" | ModelName;
  /** Scales of single samples in place of `scale`; the first that names a sample counts. */
  readonly samples?: readonly SampleScale[] | undefined;
}

/** Scale for the samples of a prompt, of a seed, or of both. */
export interface SampleScale {
  readonly prompt?: number;
  readonly seed?: number;
  readonly scale: number;
}

/** Adapters bound to one network of a model: the stack, and the scales in a row of the plan. */
export interface AdapterBinding {
  readonly stack: Stack;
  /** Scale of each adapter index [n] for one sample in a row of the plan. */
  scales(row: number, sample: SampleKey): number[];
}

/** Whether an adapter changes nothing in any row: then it is left out, and the graph is the one without it. */
export function isOff({ scale: { whole, rows }, samples }: AdapterUse): boolean {
  if (samples) return false;
  return rows.length === 0 ? whole === 0 : rows.every((r) => r.scale === 0);
}

/**
 * Binds adapters to a part of a model; null when none reaches it.
 * @param acts false for an adapter of the stack that does not act on this model: its scale is 0
 */
export function bindAdapters(
  part: Part,
  uses: readonly AdapterUse[],
  acts: (use: AdapterUse) => boolean,
): AdapterBinding | null {
  const attached = uses.map((use): Attached => ({ adapter: use.adapter, scale: acts(use) ? use.scale : constant(0) }));
  const stack = stackOn(part, attached);
  if (!stack) return null;
  const varied = uses.find((use) => use.samples);
  if (varied && stack.merged.size > 0) {
    throw new RequestError(
      `${varied.adapter.file} changes weights that are merged; its scale cannot differ between samples`,
    );
  }
  return {
    stack,
    scales: (row, sample) =>
      stack.scales(
        row,
        uses.map((use) => (acts(use) ? scaleFor(use, sample) : 0)),
      ),
  };
}

const scaleFor = ({ samples }: AdapterUse, { prompt, seed }: SampleKey): number | undefined =>
  samples?.find((s) => (s.prompt ?? prompt) === prompt && (s.seed ?? seed) === seed)?.scale;
