/**
 * The text that A1111 keeps in the chunk `parameters` of a PNG, which ComfyUI and Civitai read too: prompt, negative prompt, and a last
 * line of settings as "Key: value, …" (A1111's documentation calls it infotext). Written and parsed; knows no pair.
 */

/** Settings in order. A value with a comma, a colon or a line break stands as a JSON string. */
export type InfotextSettings = Readonly<Record<string, string | number | undefined>>;

/** Parsed infotext. */
export interface Infotext {
  readonly prompt: string;
  readonly negative: string;
  readonly settings: ReadonlyMap<string, string>;
}

/** Infotext of one image. Settings that are undefined are left out. */
export function infotext(prompt: string, negative: string | undefined, settings: InfotextSettings): string {
  const line = Object.entries(settings).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}: ${quoted(value)}`],
  );
  return [prompt, ...(negative ? [`Negative prompt: ${negative}`] : []), line.join(", ")].join("\n");
}

const quoted = (value: string | number): string => {
  const text = String(value);
  return /[,:\n]/.test(text) ? JSON.stringify(text) : text;
};

/** Keys begin with a word character; a value is a JSON string, or runs to the next comma. */
const SETTING = /\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/g;
/** A last line with fewer settings is a part of the prompt. */
const FEWEST = 3;
const NEGATIVE = "Negative prompt:";

/** Parses infotext. Any text parses: without settings it is all prompt. */
export function parseInfotext(text: string): Infotext {
  const lines = text.trim().split("\n");
  const found = [...(lines.at(-1) ?? "").matchAll(SETTING)];
  const hasSettings = found.length >= FEWEST;
  const words = (hasSettings ? lines.slice(0, -1) : lines).map((line) => line.trim());
  const at = words.findIndex((line) => line.startsWith(NEGATIVE));
  const negative =
    at < 0
      ? []
      : words.slice(at).map((line) => (line.startsWith(NEGATIVE) ? line.slice(NEGATIVE.length).trim() : line));
  return {
    prompt: (at < 0 ? words : words.slice(0, at)).join("\n"),
    negative: negative.join("\n"),
    settings: new Map(hasSettings ? found.map(([, key = "", value = ""]) => [key, unquoted(value)]) : []),
  };
}

function unquoted(text: string): string {
  if (!/^".*"$/s.test(text)) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
