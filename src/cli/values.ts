/** How words of the command line become values; what is not understood is refused with what would be. */
import { existsSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { parseScale } from "../adapters/index.js";
import { RequestError } from "../errors.js";

const refuse = (value: string, expected: string): never => {
  throw new InvalidArgumentError(`"${value}" is not ${expected}.`);
};

const isWhole = (text: string) => /^\d+$/.test(text) && Number.isSafeInteger(Number(text));

/** A whole number from `least` to `most`. */
export const whole =
  (least = 0, most = Number.POSITIVE_INFINITY) =>
  (text: string): number => {
    if (isWhole(text) && Number(text) >= least && Number(text) <= most) return Number(text);
    return refuse(
      text,
      most === Number.POSITIVE_INFINITY
        ? `a whole number, at least ${least}`
        : `a whole number from ${least} to ${most}`,
    );
  };

/** A finite number within bounds. */
export const real =
  (low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value) && value >= low && value <= high) return value;
    if (low === Number.NEGATIVE_INFINITY) return refuse(text, "a number");
    return refuse(
      text,
      high === Number.POSITIVE_INFINITY ? `a number, at least ${low}` : `a number from ${low} to ${high}`,
    );
  };

const MOST_SEEDS = 100_000;

/** "0-7,42" → [0, 1, …, 7, 42], each once. */
export function seeds(text: string): number[] {
  const list = text.split(",").flatMap((part) => {
    const [, a = "", b = a] = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part) ?? [];
    if (!isWhole(a) || !isWhole(b) || Number(b) < Number(a) || Number(b) - Number(a) >= MOST_SEEDS) {
      return refuse(text, 'a list of seeds such as "0-7,42" (whole numbers, 0 and up)');
    }
    return Array.from({ length: Number(b) - Number(a) + 1 }, (_, i) => Number(a) + i);
  });
  return [...new Set(list)];
}

/** "999,749,499,249" → numbers. */
export function timesteps(text: string): number[] {
  return text.split(",").map((part) => {
    const word = part.trim();
    return isWhole(word) && Number(word) <= 999
      ? Number(word)
      : refuse(text, 'falling timesteps such as "999,749,499,249" (whole numbers, 0 to 999)');
  });
}

/** "0,2" → row numbers, each once. */
export const rows = (text: string): number[] => [
  ...new Set(
    text.split(",").map((part) => {
      const word = part.trim();
      return isWhole(word) ? Number(word) : refuse(text, 'a list of row numbers such as "0,2"');
    }),
  ),
];

/** "FILE" or "FILE=token" → a learned word's file and what it is called. */
export function word(text: string): { ref: string; token?: string } {
  const [, ref = "", token = ""] = /^(.+)=(.+)$/.exec(text) ?? [];
  return ref === "" || existsSync(text) ? { ref: text } : { ref, token };
}

/** "FILE", "FILE:0.8", "FILE:0@0-1,0.8@2-3" or "FILE:down=0,up=0.5" → file and scale. */
export function adapter(text: string): { ref: string; scale?: string } {
  const [, ref = "", scale = ""] = /^(.+):([^:/\\]+)$/.exec(text) ?? [];
  if (ref === "" || existsSync(text) || /\.(safetensors|pt|bin|pth|ckpt)$/i.test(scale)) return { ref: text };
  try {
    parseScale(scale);
  } catch (error) {
    if (error instanceof RequestError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
  return { ref, scale };
}

/** "FILE:2=an old person" → an adapter, its scale (1 where none is given), and what it is for. */
export function control(text: string): { name: string; ref: string; scale: number; concept: string } {
  const [, file = "", concept = ""] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  const { ref, scale = "1" } = adapter(file);
  const { whole: strength, rows } = parseScale(scale);
  if (ref === "" || concept.trim() === "" || rows.length > 0) {
    return refuse(text, 'an adapter with one scale and what it is for, such as "age.safetensors:2=an old person"');
  }
  return { name: ref.replace(/^.*[\\/:]/, "").replace(/\.\w+$/, ""), ref, scale: strength, concept };
}

/** "-2..2:5" → five scales from −2 to 2; "0,0.5,1" → those. */
export function scales(text: string): number[] {
  const [, from = "", to = "", n = ""] = /^([-+\d.]+)\.\.([-+\d.]+):(\d+)$/.exec(text) ?? [];
  const expected = 'scales such as "-2..2:5" (from, to, how many) or "0,0.5,1"';
  const list = isWhole(n)
    ? Array.from({ length: Number(n) }, (_, i) => {
        const at = Number(n) === 1 ? 0 : i / (Number(n) - 1);
        return Number((Number(from) + at * (Number(to) - Number(from))).toPrecision(12));
      })
    : text.split(",").map((word) => (word.trim() === "" ? Number.NaN : Number(word)));
  const most = 101;
  if (list.length === 0 || list.length > most || list.some((v) => !Number.isFinite(v))) return refuse(text, expected);
  return [...new Set(list)];
}

const MODES = ["base", "distilled", "hybrid"] as const;

/** "base,hybrid" → modes, each once. */
export function modes(text: string): (typeof MODES)[number][] {
  const words = text.split(",").map((word) => word.trim());
  const found = MODES.filter((mode) => words.includes(mode));
  const odd = words.find((word) => !MODES.some((mode) => mode === word));
  return odd === undefined ? found : refuse(odd, `one of ${MODES.join(", ")}`);
}

/** "2:1" → two steps of the base for each distilled row. */
export function ratio(text: string): { base: number; distilled: number } {
  const [, a = "", b = ""] = /^(\d+):(\d+)$/.exec(text) ?? [];
  if (!isWhole(a) || !isWhole(b) || Number(a) < 1 || Number(b) < 1) {
    return refuse(text, 'two whole numbers such as "2:1" (base steps for each so many distilled rows)');
  }
  return { base: Number(a), distilled: Number(b) };
}

/** "12.5" → bytes. */
export function gigabytes(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value * 1e9;
  return refuse(text, 'a number of GB such as "12"');
}

/** "32" → latents on a tile's side; "off" → no tiles. */
export const tile = (text: string): number | "off" => {
  if (text === "off") return "off";
  return isWhole(text) && Number(text) >= 4
    ? Number(text)
    : refuse(text, 'a whole number of latents, at least 4, or "off"');
};

/** "832x640" → width and height in pixels. */
export function size(text: string): { width: number; height: number } {
  const [, w = "", h = ""] = /^(\d+)[x×](\d+)$/.exec(text) ?? [];
  if (!isWhole(w) || !isWhole(h) || Number(w) < 1 || Number(h) < 1 || Number(w) > 16384 || Number(h) > 16384) {
    return refuse(text, 'a size such as "832x640" (width x height in pixels)');
  }
  return { width: Number(w), height: Number(h) };
}
