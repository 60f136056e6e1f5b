/**
 * Prompt syntax of AUTOMATIC1111's stable-diffusion-webui, version 1.10: `(more)`, `(more:1.3)`, `[less]`, `\(` for a bracket, `BREAK`,
 * `<lora:name:1>`. Facts from its modules/prompt_parser.py, modules/extra_networks.py and extensions-builtin/Lora.
 */
import { RequestError } from "../errors.js";
import type { Piece } from "./piece.js";

/** Factor of a pair of round brackets without a number; square brackets divide by it. */
const EMPHASIS = 1.1;

/** Escaped characters, brackets, a weight with its closing bracket, text. A backslash before any other character is dropped. */
const MARKUP = /\\[()[\]\\]|\\|\(|\[|:\s*([+-]?[.\d]+)\s*\)|\)|\]|[^\\()[\]:]+|:/g;
const WORD = "[\\p{L}\\p{N}_]";
const BREAK = new RegExp(`\\s*(?<!${WORD})BREAK(?!${WORD})\\s*`, "gu");
const AND = new RegExp(`(?<!${WORD})AND(?!${WORD})`, "u");
const TAG = new RegExp(`<(${WORD}+):([^>]+)>`, "gu");
/** Weight that marks a break. Brackets around BREAK change it, and the word is then read as text. */
const BREAK_WEIGHT = -1;

/** A LoRA in a prompt. */
export interface PromptLora {
  readonly name: string;
  /** Scale of its layers in text encoders. */
  readonly text: number;
  /** Scale of its layers in the denoiser. */
  readonly denoiser: number;
}

/**
 * LoRAs of a prompt: `<lora:NAME:TEXT:DENOISER>`, with one number for both, or `te=` and `unet=`; default 1.
 * @throws RequestError for another tag, or a value that is not a number
 */
export function lorasOf(prompt: string): readonly PromptLora[] {
  return [...prompt.matchAll(TAG)].map(([tag, kind = "", rest = ""]): PromptLora => {
    if (kind !== "lora" && kind !== "lyco") {
      throw new RequestError(`${tag} in the prompt is not supported; supported: <lora:name:scale>`, {
        field: "prompts",
      });
    }
    const items = rest.split(":");
    const named = new Map(items.flatMap((item) => (item.includes("=") ? [split(item)] : [])));
    const [name = "", ...numbers] = items.filter((item) => !item.includes("="));
    const unknown = [...named.keys()].find((key) => key !== "te" && key !== "unet");
    if (name.trim() === "" || numbers.length > 2 || unknown !== undefined) {
      throw new RequestError(`${tag} in the prompt: expected <lora:name:scale> or <lora:name:te=scale:unet=scale>`, {
        field: "prompts",
      });
    }
    const [first = "1", second = first] = numbers;
    const text = numberIn(named.get("te") ?? first, tag);
    const denoiser = named.get("unet") ?? (numbers.length > 1 ? second : String(text));
    return { name, text, denoiser: numberIn(denoiser, tag) };
  });
}

const split = (item: string): [string, string] => {
  const at = item.indexOf("=");
  return [item.slice(0, at), item.slice(at + 1)];
};

/** Weighted pieces of a prompt, without its LoRAs. @throws RequestError for prompt editing, AND, and numbers that are none */
export function a1111Pieces(prompt: string): readonly Piece[] {
  const text = prompt.replace(TAG, "");
  refuseUnsupported(text);
  return merged(weighted(text)).map(({ text, weight }) =>
    text === "BREAK" && weight === BREAK_WEIGHT ? { kind: "break" } : { kind: "text", text, weight },
  );
}

interface Entry {
  text: string;
  weight: number;
}

/** Brackets multiply the weights of everything inside. A bracket that is not closed reaches to the end; one that closes nothing is text. */
function weighted(prompt: string): Entry[] {
  const entries: Entry[] = [];
  const open: { round: number[]; square: number[] } = { round: [], square: [] };
  const multiply = (from: number | undefined, factor: number) => {
    for (const entry of entries.slice(from)) entry.weight *= factor;
  };
  for (const [found, number] of prompt.matchAll(MARKUP)) {
    if (found.startsWith("\\")) entries.push({ text: found.slice(1), weight: 1 });
    else if (found === "(") open.round.push(entries.length);
    else if (found === "[") open.square.push(entries.length);
    else if (number !== undefined && open.round.length > 0) multiply(open.round.pop(), numberIn(number, found));
    else if (found === ")" && open.round.length > 0) multiply(open.round.pop(), EMPHASIS);
    else if (found === "]" && open.square.length > 0) multiply(open.square.pop(), 1 / EMPHASIS);
    else {
      for (const [i, text] of found.split(BREAK).entries()) {
        if (i > 0) entries.push({ text: "BREAK", weight: BREAK_WEIGHT });
        entries.push({ text, weight: 1 });
      }
    }
  }
  for (const from of open.round) multiply(from, EMPHASIS);
  for (const from of open.square) multiply(from, 1 / EMPHASIS);
  return entries.length > 0 ? entries : [{ text: "", weight: 1 }];
}

/** Joins neighbours of equal weight. */
function merged(entries: readonly Entry[]): readonly Entry[] {
  const kept: Entry[] = [];
  for (const entry of entries) {
    const last = kept.at(-1);
    if (last?.weight === entry.weight) last.text += entry.text;
    else kept.push({ ...entry });
  }
  return kept;
}

function numberIn(text: string, where: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new RequestError(`${where} in the prompt: "${text}" is not a number`, { field: "prompts" });
}

/** A number that ends square brackets: [from:to:0.5]. */
const WHEN = /:\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/;

/** A number that ends the prompt. */
const WHOLE = /:\s*[-+]?(?:\d+\.?|\d*\.\d+)\s*$/;

/** @throws RequestError for the parts of the syntax that change the prompt from step to step, or compose several prompts */
function refuseUnsupported(prompt: string): void {
  const refuse = (what: string, instead: string): never => {
    throw new RequestError(`${what} in the prompt is not supported; ${instead}`, { field: "prompts" });
  };
  if (AND.test(prompt)) refuse("AND (several prompts composed)", "write and in lower case");
  const whole = WHOLE.exec(prompt)?.[0].trim();
  if (whole) refuse(`${whole} at the end (a weight of the whole prompt)`, "for a part of it write (word:1.3)");
  // Escaped characters do not count as brackets or bars.
  const text = prompt.replace(/\\./gs, "  ");
  const open: number[] = [];
  for (const [i, character] of [...text].entries()) {
    if (character === "[") open.push(i);
    const from = character === "]" ? open.pop() : undefined;
    if (from === undefined) continue;
    const shown = [...prompt].slice(from, i + 1).join("");
    const own = withoutNested([...text].slice(from + 1, i).join(""));
    if (own.includes("|")) refuse(`${shown} (alternating words)`, "choose one of them");
    if (WHEN.test(own)) refuse(`${shown} (prompt editing)`, "for a weight write (word:1.3), and [word] for less");
  }
}

/** Text with the contents of its brackets removed. */
function withoutNested(text: string): string {
  const shorter = text.replace(/\([^()[\]]*\)|\[[^()[\]]*\]/g, "");
  return shorter === text ? text : withoutNested(shorter);
}
