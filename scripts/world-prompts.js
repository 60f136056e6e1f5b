/** The embedded pair's list of prompts for experiments. */
import { readFileSync } from "node:fs";

/** Prompts in the order of the list, with those that it holds several times. */
export const worldPrompts = () =>
  readFileSync(new URL("../embedded/world/prompts.csv", import.meta.url), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",")[1]);
