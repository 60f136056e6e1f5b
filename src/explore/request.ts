/** Fields of a request for the directions of a prompt's variety. */
import { z } from "zod";
import type { ChoiceField, GenerateRequest } from "../generate/index.js";
import type { Mode } from "../sampling/index.js";
import { grouped, type InputOf, option } from "../schema/index.js";

const MOST_DIRECTIONS = 16;
export const DIRECTIONS = 4;

export const exploreFields = grouped("task", {
  directions: option(z.int().min(1).max(MOST_DIRECTIONS), {
    flag: "--directions <number>",
    about: `directions to show, 1 to ${MOST_DIRECTIONS} (default: ${DIRECTIONS})`,
    read: Number,
    expected: `a whole number from 1 to ${MOST_DIRECTIONS}`,
  }),
  clip: option(z.string(), {
    flag: "--clip <ref>",
    about: "CLIPModel for the features, or none: pixels (default: the pair's, else a small one from the Hub)",
  }),
} as const);

/**
 * Request for the main directions of a prompt's variety. Defaults: `modes` all three if the pair has a distilled model, else base;
 * `directions` 4; `clip` the pair's.
 */
export interface ExploreRequest
  extends Omit<GenerateRequest, "prompts" | "mode" | "samples" | ChoiceField>,
    InputOf<typeof exploreFields> {
  readonly prompt: string;
  readonly modes?: readonly Mode[];
}
