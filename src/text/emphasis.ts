/** Weights of tokens, applied to the hidden states of a chunk. */
import { type FloatTensor, float } from "../tensor/index.js";
import type { PromptSyntax } from "./syntax.js";

/** Hidden states of a chunk [1, L, D] and of the empty prompt [1, L, D], and the weight of each position. */
export interface Emphasis {
  readonly state: FloatTensor;
  readonly empty: FloatTensor;
  readonly weights: readonly number[];
}

/** A1111's emphasis "Original": states times weights, then scaled so that the mean over the chunk is as before. */
function restoringMean({ state, weights }: Emphasis): FloatTensor {
  const weighted = perToken(state, (value, token) => value * (weights[token] ?? 1));
  const ratio = mean(state.data) / mean(weighted.data);
  return perToken(weighted, (value) => value * ratio);
}

/** ComfyUI's: interpolated, or extrapolated, from the empty prompt's state at the same position. */
function fromEmpty({ state, empty, weights }: Emphasis): FloatTensor {
  return perToken(state, (value, token, i) => {
    const [weight = 1, from = 0] = [weights[token], empty.data[i]];
    return weight === 1 ? value : (value - from) * weight + from;
  });
}

/** How each syntax applies weights. The empty prompt is encoded only where it is used. */
export const EMPHASIS: {
  readonly [S in PromptSyntax]: { readonly usesEmpty: boolean; readonly apply: (e: Emphasis) => FloatTensor };
} = {
  plain: { usesEmpty: false, apply: ({ state }) => state },
  a1111: { usesEmpty: false, apply: restoringMean },
  comfy: { usesEmpty: true, apply: fromEmpty },
};

const mean = (values: Float32Array): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** Maps the values of [1, L, D] with the index of their token and their own. */
function perToken({ shape, data }: FloatTensor, map: (value: number, token: number, i: number) => number): FloatTensor {
  const features = shape.at(-1) ?? 1;
  return float(
    shape,
    data.map((value, i) => map(value, Math.floor(i / features), i)),
  );
}
