/** The lists of prompts for experiments that pairs come with. */
import { readFileSync } from "node:fs";

const FOLDERS = { embedded: "embedded", emoji: "packages/pair-emoji" };

/** Prompts in the order of the list, with those that it holds several times. */
export const worldPrompts = (pair = "embedded") =>
  readFileSync(new URL(`../${FOLDERS[pair]}/world/prompts.csv`, import.meta.url), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",")[1]);
