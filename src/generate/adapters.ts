/** Adapters in a run: which model each acts on, at which scale, and the stacks they make on its networks. */
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
import type { Picture } from "./events.js";

/** An adapter in use. */
export interface AdapterUse {
  readonly adapter: Adapter;
  /** Default 1. A function gives each picture a scale of its own. */
  readonly scale?: number | Scale | ((picture: Picture) => number);
  /** Which model it acts on; default both. */
  readonly on?: "both" | ModelName;
}

/** Adapters on one network of one model: the stack, and the scales that a picture has in a row. */
export interface Equipment {
  readonly stack: Stack;
  /** [slots]. */
  scales(row: number, picture: Picture): number[];
}

const scaleOf = ({ scale = 1 }: AdapterUse): Scale =>
  typeof scale === "number" ? constant(scale) : typeof scale === "function" ? constant(1) : scale;

/** Whether an adapter does nothing in any row of any picture: then it is left out, and the graph is the one without it. */
export function isOff(use: AdapterUse): boolean {
  if (typeof use.scale === "function") return false;
  const { whole, rows } = scaleOf(use);
  return rows.length === 0 ? whole === 0 : rows.every((r) => r.scale === 0);
}

/**
 * Equips a part of a model with adapters; null when none reaches it.
 * @param acts whether an adapter in the stack acts on the model at hand: one that does not has scale 0
 */
export function equip(part: Part, uses: readonly AdapterUse[], acts: (use: AdapterUse) => boolean): Equipment | null {
  const attached = uses.map(
    (use): Attached => ({ adapter: use.adapter, scale: acts(use) ? scaleOf(use) : constant(0) }),
  );
  const stack = stackOn(part, attached);
  if (!stack) return null;
  const varied = uses.find((use) => typeof use.scale === "function");
  if (varied && stack.merged.size > 0) {
    throw new RequestError(
      `${varied.adapter.file} changes weights that are merged; its scale cannot differ between pictures`,
    );
  }
  return {
    stack,
    scales: (row, picture) =>
      stack.scales(
        row,
        uses.map((use) => (acts(use) ? (typeof use.scale === "function" ? use.scale(picture) : undefined) : 0)),
      ),
  };
}
