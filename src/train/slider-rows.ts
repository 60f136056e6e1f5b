/** Rows of prompts that a slider learns from, as the official trainer has them (Gandikota et al. 2024, arXiv 2311.12092). */
import { RequestError } from "../errors.js";
import type { InputOf } from "../schema/index.js";
import type { sliderFields } from "./fields.js";

/** A slider to train: what it learns from, the model, and how it is trained. */
export type SliderRequest = InputOf<typeof sliderFields>;

/** One row: the model learns for `target` to predict neutral ± η (positive − negative). */
export interface SliderRow {
  readonly target: string;
  readonly positive: string;
  /** Called "unconditional" in the official files, where it holds the opposite of `positive`. */
  readonly negative: string;
  readonly neutral: string;
  /** enhance: towards `positive`; erase: away from it. */
  readonly action: "enhance" | "erase";
  /** η; null for the default of the model. */
  readonly strength: number | null;
  /** Samples of an update; null for the default. */
  readonly batch: number | null;
  /** Side of the images in pixels, in the official trainer's arithmetic; null for the pair's size. */
  readonly resolution: number | null;
}

/** The row of a request's three prompts. @throws RequestError naming the prompt that is missing */
export function rowOfRequest({ concept, positive, negative }: SliderRequest): SliderRow {
  const prompt = (flag: string, value: string | undefined): string => {
    if (value !== undefined) return value;
    throw new RequestError(
      `${flag} is missing: a slider needs --concept, --positive and --negative, or --prompts, or two folders of images`,
    );
  };
  const target = prompt("--concept", concept);
  return {
    target,
    positive: prompt("--positive", positive),
    negative: prompt("--negative", negative),
    neutral: target,
    ...{ action: "enhance", strength: null, batch: null, resolution: null },
  };
}

/** Rows for each attribute, which stands before all prompts: attributes that the slider is to leave as they are. Without attributes the rows themselves. */
export const withAttributes = (rows: readonly SliderRow[], attributes: readonly string[]): readonly SliderRow[] =>
  attributes.length === 0
    ? rows
    : rows.flatMap((row) =>
        attributes.map((attribute) => {
          const before = (prompt: string) => `${attribute} ${prompt}`;
          const { target, positive, negative, neutral } = row;
          const [t, p, n, u] = [before(target), before(positive), before(negative), before(neutral)];
          return { ...row, target: t, positive: p, negative: n, neutral: u };
        }),
      );
