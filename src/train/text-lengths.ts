/**
 * Lengths of the text of samples. Samples with texts of several lengths have calls of their own: one graph has one length, and where positions of
 * the image follow those of the text, a longer text is another input.
 */
import type { Conditioning } from "../models/index.js";

/** Length of a sample's text. */
export const textTokens = ({ streams }: Conditioning): number => streams["text"]?.shape[1] ?? 0;

/** Indices of the samples of each text length. */
export function byTextLength(conditioning: readonly Conditioning[]): number[][] {
  const groups = new Map<number, number[]>();
  for (const [i, own] of conditioning.entries()) {
    const tokens = textTokens(own);
    groups.set(tokens, [...(groups.get(tokens) ?? []), i]);
  }
  return [...groups.values()];
}
