/** Reports on the networks of a model: parameters, sizes, stored types and unused tensors. */
import { existsSync, readdirSync } from "node:fs";
import pathOf from "node:path";
import type { Component } from "../checkpoint/index.js";
import { derivedFolder } from "../checkpoint/node/index.js";
import { drawingOf, packedBytes } from "../networks/index.js";
import { BYTES, count, formatBytes, storedAs, storedBytes, type WeightIndex } from "../tensor/index.js";

export interface ComponentReport {
  readonly name: string;
  readonly className: string;
  /** Opened file or index. */
  readonly source: string;
  readonly parameters: number;
  readonly bytes: number;
  readonly dtypes: readonly string[];
  /** Tensors without a use in the network. */
  readonly unused: readonly string[];
}

/** Number of values in all tensors of an index. */
export const parameterCount = ({ weights }: WeightIndex): number =>
  [...weights.values()].reduce((n, w) => n + count(w.shape), 0);

/** Reports on a network by building its graph; null for a class without one. */
export async function componentReport(component: Component): Promise<ComponentReport | null> {
  const draw = drawingOf(component);
  if (!draw) return null;
  const index = await component.weights();
  const used = new Set(
    (await draw(index)).flatMap((g) => [...g.weights.values()].map((w) => w.name.replace(/\[.*\]$/, ""))),
  );
  // Names in a file may differ from the names in the graph.
  const unused = [...index.weights].flatMap(([name, w]) => (used.has(name) || used.has(w.name) ? [] : [name]));
  return { name: component.name, className: component.className, unused, ...summary(index) };
}

/** Reports on tensors without a network, such as those of an adapter. */
export const tensorsReport = (name: string, index: WeightIndex): ComponentReport => ({
  name,
  className: "tensors",
  unused: [],
  ...summary(index),
});

function summary(index: WeightIndex) {
  const all = [...index.weights.values()];
  return {
    source: index.source,
    parameters: parameterCount(index),
    bytes: all.reduce((n, w) => n + storedBytes(w), 0),
    dtypes: [...new Set(all.map(storedAs))].sort((a, b) => (a < b ? -1 : 1)),
  };
}

/** Notes the size of quantised blocks after they are unpacked, which happens on first use, and of matrices that stay packed. */
export function unpackingNote(name: string, { weights }: WeightIndex): string[] {
  const blocks = [...weights.values()].filter(({ bytes }) => bytes.in === "blocks");
  if (blocks.length === 0) return [];
  const stored = blocks.reduce((n, w) => n + storedBytes(w), 0);
  const unpacked = blocks.reduce((n, { shape, dtype }) => n + count(shape) * BYTES[dtype], 0);
  const kept = blocks.reduce((n, w) => n + (packedBytes(w) ?? count(w.shape) * BYTES.float32), 0);
  const instead = `; where the budget is too small for that, and with --upcast per-call, matrices stay packed on the CPU: ${formatBytes(kept)}`;
  return [
    `${name}: ${formatBytes(stored)} of quantised blocks are unpacked once, to ${formatBytes(unpacked)} of float32 in ${derivedFolder()}${kept < unpacked ? instead : ""}`,
  ];
}

/** Notes a half-precision file next to the opened one. */
export function variantNote({ name, source }: ComponentReport): string[] {
  const { dir, base } = pathOf.parse(source);
  if (!existsSync(dir) || base.includes(".fp16.") || !/^(diffusion_pytorch_model|model|pytorch_model)\./.test(base))
    return [];
  const other = readdirSync(dir).find((file) => file === base.replace(/\./, ".fp16."));
  return other ? [`${name}: ${base} is opened; ${other} also exists`] : [];
}
