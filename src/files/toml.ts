/** Configs in TOML as trainers write them: tables of strings, numbers, booleans and lists. Dates, multi-line strings and inline tables are refused. */
import { FileError } from "../errors.js";

type Value = string | number | boolean | readonly Value[];
/** A key with the tables that it stands in. Tables of an array of tables have the same path. */
export interface TomlEntry {
  readonly path: readonly string[];
  readonly value: Value;
  /** Counted from 1. */
  readonly line: number;
}

const BARE = /^[A-Za-z0-9_-]+$/;
const NUMBER = /^[+-]?(\d[\d_]*)(\.\d[\d_]*)?([eE][+-]?\d+)?$/;

/** Keys of a TOML file in order. @throws FileError naming the line that is none of the above */
export function tomlEntries(file: string, text: string): TomlEntry[] {
  const entries: TomlEntry[] = [];
  let table: readonly string[] = [];
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const refuse = (): never => {
      throw new FileError(
        file,
        `line ${at + 1}: expected a table or a key with a string, a number, true, false or a list`,
      );
    };
    const content = withoutComment(lines[at] ?? "").trim();
    if (content === "") continue;
    const [, head] = /^\[\[?([^[\]]+)\]\]?$/.exec(content) ?? [];
    if (head !== undefined) {
      table = keysOf(head) ?? refuse();
      continue;
    }
    const equals = content.indexOf("=");
    const keys = (equals > 0 ? keysOf(content.slice(0, equals)) : null) ?? refuse();
    const line = at + 1;
    let rest = content.slice(equals + 1).trim();
    // A list may go on over lines.
    while (rest.startsWith("[") && !isClosed(rest) && at + 1 < lines.length)
      rest += ` ${withoutComment(lines[++at] ?? "").trim()}`;
    const value = parsedValue(rest);
    entries.push({ path: [...table, ...keys], value: value === undefined ? refuse() : value, line });
  }
  return entries;
}

const keysOf = (text: string): string[] | null => {
  const keys = text.split(".").map((key) => key.trim().replace(/^"(.*)"$|^'(.*)'$/, "$1$2"));
  return keys.every((key) => BARE.test(key)) ? keys : null;
};

/** A line up to a # that stands in no string. */
function withoutComment(line: string): string {
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const c = line[i] ?? "";
    if (quote === '"' && c === "\\") i++;
    else if (quote !== "") quote = c === quote ? "" : quote;
    else if (c === '"' || c === "'") quote = c;
    else if (c === "#") return line.slice(0, i);
  }
  return line;
}

const isClosed = (list: string): boolean => partsOf(list) !== null;

/** Parts of a list between its commas; null for one that is not closed. */
function partsOf(list: string): string[] | null {
  const parts: string[] = [];
  let [depth, quote, from] = [0, "", 1];
  for (let i = 0; i < list.length; i++) {
    const c = list[i] ?? "";
    if (quote === '"' && c === "\\") i++;
    else if (quote !== "") quote = c === quote ? "" : quote;
    else if (c === '"' || c === "'") quote = c;
    else if (c === "[") depth++;
    else if (c === "]" && --depth === 0) {
      if (i !== list.length - 1) return null;
      return [...parts, list.slice(from, i)].map((part) => part.trim()).filter((part) => part !== "");
    } else if (c === "," && depth === 1) {
      parts.push(list.slice(from, i));
      from = i + 1;
    }
  }
  return null;
}

function parsedValue(text: string): Value | undefined {
  if (text === "true" || text === "false") return text === "true";
  if (NUMBER.test(text)) return Number(text.replaceAll("_", ""));
  if (/^'[^']*'$/.test(text)) return text.slice(1, -1);
  if (/^"([^"\\]|\\.)*"$/.test(text)) return quoted(text);
  if (!text.startsWith("[")) return undefined;
  const parts = partsOf(text)?.map(parsedValue);
  return parts?.every((part) => part !== undefined) ? parts : undefined;
}

/** A string with the escapes that TOML shares with JSON. */
function quoted(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
