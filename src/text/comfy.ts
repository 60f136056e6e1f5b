/**
 * Prompt syntax of ComfyUI: `(more)`, `(more:1.3)`, `\(` for a bracket, `embedding:name`. Facts from its comfy/sd1_clip.py.
 */
import { RequestError } from "../errors.js";
import type { Piece } from "./piece.js";

/** Factor of a pair of brackets. A number in brackets replaces the weight, those of the brackets around it included. */
const EMPHASIS = 1.1;
/** A number as Python reads it, without infinity and NaN. */
const NUMBER = /^\s*[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+)?\s*$/i;
const EMBEDDING = "embedding:";
/** Characters that stand for escaped brackets while brackets are matched. */
const [OPENING, CLOSING] = ["\0\u0002", "\0\u0001"];

interface Weighted {
  readonly text: string;
  readonly weight: number;
}

/** Weighted pieces of a prompt. @throws RequestError for `embedding:` without a name */
export function comfyPieces(prompt: string): readonly Piece[] {
  const escaped = prompt.replaceAll("\\)", CLOSING).replaceAll("\\(", OPENING);
  return weighted(escaped, 1).flatMap(({ text, weight }) =>
    embedded(text.replaceAll(CLOSING, ")").replaceAll(OPENING, "("), weight),
  );
}

function weighted(text: string, current: number): readonly Weighted[] {
  return outermost(text).flatMap((item): readonly Weighted[] => {
    if (item.length < 2 || !item.startsWith("(") || !item.endsWith(")")) return [{ text: item, weight: current }];
    const inside = item.slice(1, -1);
    const colon = inside.lastIndexOf(":");
    const number = inside.slice(colon + 1);
    return colon > 0 && NUMBER.test(number)
      ? weighted(inside.slice(0, colon), Number(number.replaceAll("_", "")))
      : weighted(inside, current * EMPHASIS);
  });
}

/** Splits a text into its outermost pairs of brackets and the text between them. */
function outermost(text: string): readonly string[] {
  const items: string[] = [];
  let item = "";
  let depth = 0;
  const take = () => {
    if (item !== "") items.push(item);
    item = "";
  };
  for (const character of text) {
    if (character === "(" && depth === 0) take();
    item += character;
    if (character === "(") depth += 1;
    // A bracket that closes nothing is text, and hides the next one that opens.
    if (character === ")") depth -= 1;
    if (character === ")" && depth === 0) take();
  }
  take();
  return items;
}

/** Name of a textual inversion in a prompt without folder and extension. */
export const bareName = (name: string): string => name.replace(/^.*[\\/]/, "").replace(/\.(safetensors|pt|bin)$/i, "");

/** Separates textual inversions from text. One begins at `embedding:` after a space, a new line, or nothing. */
function embedded(text: string, weight: number): readonly Piece[] {
  const [first = "", ...more] = text.split(/[ \n]embedding:/);
  const words = [first, ...more.map((rest) => `${EMBEDDING}${rest}`)].filter((word) => word !== "");
  return words.flatMap((word): readonly Piece[] => {
    if (!word.startsWith(EMBEDDING)) return [{ kind: "text", text: word, weight }];
    const [given = "", ...others] = word.slice(EMBEDDING.length).trim().split(/\s+/);
    // A comma after the name is text.
    const name = given.replace(/^,+|,+$/g, "");
    if (name === "")
      throw new RequestError("embedding: in the prompt names no textual inversion", { field: "prompts" });
    const rest = [given.slice(name.length), ...others].join(" ").trim();
    return [
      { kind: "embedding", name, weight },
      ...(rest === "" ? [] : [{ kind: "text", text: rest, weight } as const]),
    ];
  });
}
