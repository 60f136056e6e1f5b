/** Names of transformers in two dialects: tables of patterns that lead from the names of other tools to those of diffusers, and back. */
import type { SourceTensor } from "./clip.js";

/** Beginning of a layer's name in diffusers and in files of other tools. "*" stands for the same text in both. */
export interface Renamed {
  readonly own: string;
  readonly other: string;
  /** The layer is one part of a fused layer's rows: its index, and the number of equal parts; or several parts (default 1) from there. */
  readonly share?: readonly [index: number, of: number, parts?: number];
  /** The halves of the rows are in the other order in the file. */
  readonly swapped?: true;
  /** The rule is for the block with the highest number alone, or for all but that. Default: for all. */
  readonly blocks?: "last" | "others";
}

/** Queries, keys and values of a fused layer, in this order. */
export const fused = (other: string, owns: readonly string[]): Renamed[] =>
  owns.map((own, i) => ({ own, other, share: [i, owns.length] }));

/** A layer in a file of another tool: its name there, and the rows of it. */
export interface OtherLayer extends Pick<Renamed, "share" | "swapped"> {
  readonly name: string;
}

const pattern = (name: string): RegExp =>
  new RegExp(
    `^${name
      .split("*")
      .map((part) => part.replace(/[.\\]/g, "\\$&"))
      .join("(.+?)")}(?=\\.|$)`,
  );

/** The name with its beginning replaced; null where it begins otherwise. */
function replaced(name: string, from: string, to: string): string | null {
  const match = pattern(from).exec(name);
  if (!match) return null;
  const held = match.slice(1);
  return to.replaceAll("*", () => held.shift() ?? "") + name.slice(match[0].length);
}

/** The name with its beginning replaced by a rule; null where the rule is for others. @param names of all layers, among which is the last block */
function byRule(name: string, from: string, to: string, { blocks }: Renamed, names: readonly string[]): string | null {
  const found = replaced(name, from, to);
  if (found === null || blocks === undefined) return found;
  const form = pattern(from);
  const number = (other: string): number => Number(form.exec(other)?.[1] ?? Number.NaN);
  const isLast = names.every((other) => !(number(other) > number(name)));
  return isLast === (blocks === "last") ? found : null;
}

/** Sources of diffusers' tensors in a file with these keys. Names that no rule has are the same in both. */
export function ownTensors(rules: readonly Renamed[], keys: readonly string[]): Map<string, SourceTensor> {
  const found = new Map<string, SourceTensor>();
  for (const key of keys) {
    let known = false;
    for (const rule of rules) {
      const { own, other, share, swapped } = rule;
      const name = byRule(key, other, own, rule, keys);
      if (name === null) continue;
      known = true;
      found.set(name, { key, ...(share && { share }), ...(swapped && { swapped }) });
    }
    if (!known) found.set(key, { key });
  }
  return found;
}

/** Each of diffusers' layers as other tools name it, where the names differ. */
export function otherLayers(rules: readonly Renamed[], layers: readonly string[]): Map<string, OtherLayer> {
  const found = new Map<string, OtherLayer>();
  for (const layer of layers) {
    for (const rule of rules) {
      const { own, other, share, swapped } = rule;
      const name = byRule(layer, own, other, rule, layers);
      if (name === null) continue;
      found.set(layer, { name, ...(share && { share }), ...(swapped && { swapped }) });
      break;
    }
  }
  return found;
}
