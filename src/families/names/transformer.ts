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

/** Sources of diffusers' tensors in a file with these keys. Names that no rule has are the same in both. */
export function ownTensors(rules: readonly Renamed[], keys: readonly string[]): Map<string, SourceTensor> {
  const found = new Map<string, SourceTensor>();
  for (const key of keys) {
    let known = false;
    for (const { own, other, share, swapped } of rules) {
      const name = replaced(key, other, own);
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
    for (const { own, other, share, swapped } of rules) {
      const name = replaced(layer, own, other);
      if (name === null) continue;
      found.set(layer, { name, ...(share && { share }), ...(swapped && { swapped }) });
      break;
    }
  }
  return found;
}
