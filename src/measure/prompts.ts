/** Reads lists of prompts for images without metadata: CSV, JSON or plain text. */
import path from "node:path";
import { z } from "zod";
import { readJson, readText } from "../checkpoint/node/index.js";
import { FileError, RequestError } from "../errors.js";
import { csvRows } from "../files/index.js";

export interface PromptList {
  readonly file: string;
  /** Names or numbers of the images in the list, for messages. */
  readonly names: readonly string[];
  /** Prompts by file name, with or without extension. */
  readonly byName: ReadonlyMap<string, string>;
  /** Prompts by the number at the start of a file name. */
  readonly byNumber: ReadonlyMap<number, string>;
}

const jsonSchema = z.union([
  z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  z.array(z.object({ file: z.string(), prompt: z.string() })),
]);

const FILE_COLUMNS = ["file", "filename", "file_name", "image", "image_path", "path"];
const NUMBER_COLUMNS = ["case_number", "number", "index", "id"];
const PROMPT_COLUMNS = ["prompt", "caption", "text"];

/**
 * Reads a list of prompts:
 * `.csv` with a column prompt (caption, text) and a column file (filename, image, path) or case_number (number, index, id), the number at
 * the start of the file names; `.json` as {file: prompt}, {prompt: [files]} or [{file, prompt}]; `.txt` with one prompt per line, numbered
 * from 0 as in `generate`. @throws FileError with the columns found
 */
export async function readPrompts(file: string): Promise<PromptList> {
  switch (path.extname(file).toLowerCase()) {
    case ".csv":
      return fromCsv(file, (await readText(file)) ?? "");
    case ".json":
      return fromJson(file, await readJson(file));
    case ".txt": {
      const lines = ((await readText(file)) ?? "").split(/\r?\n/).filter((line) => line.trim() !== "");
      return numbered(
        file,
        lines.map((line, i) => [i, line.trim()]),
      );
    }
    default:
      throw new RequestError(`--prompts ${file}: expected a .csv, .json or .txt file`);
  }
}

const numbered = (file: string, rows: readonly (readonly [number, string])[]): PromptList => ({
  file,
  names: rows.map(([n]) => `${n}`),
  byName: new Map(),
  byNumber: new Map(rows),
});

const named = (file: string, rows: readonly (readonly [string, string])[]): PromptList => ({
  file,
  names: rows.map(([name]) => name),
  byName: new Map(rows.map(([name, prompt]) => [name.replaceAll("\\", "/"), prompt])),
  byNumber: new Map(),
});

function fromJson(file: string, value: unknown): PromptList {
  const parsed = jsonSchema.safeParse(value);
  if (!parsed.success) throw new FileError(file, "expected {file: prompt}, {prompt: [files]} or [{file, prompt}]");
  if (Array.isArray(parsed.data))
    return named(
      file,
      parsed.data.map((r) => [r.file, r.prompt]),
    );
  return named(
    file,
    Object.entries(parsed.data).flatMap(([key, v]) =>
      typeof v === "string" ? [[key, v] as const] : v.map((f) => [f, key] as const),
    ),
  );
}

function fromCsv(file: string, text: string): PromptList {
  const [head = [], ...rows] = csvRows(file, text);
  const column = (names: readonly string[]) => head.findIndex((h) => names.includes(h.trim().toLowerCase()));
  const [prompt, name, number] = [column(PROMPT_COLUMNS), column(FILE_COLUMNS), column(NUMBER_COLUMNS)];
  if (prompt < 0 || (name < 0 && number < 0)) {
    throw new FileError(
      file,
      `expected a column prompt and one of ${FILE_COLUMNS.join(", ")}, ${NUMBER_COLUMNS.join(", ")}; it has: ${head.join(", ") || "nothing"}`,
    );
  }
  if (name >= 0)
    return named(
      file,
      rows.map((r) => [r[name] ?? "", r[prompt] ?? ""]),
    );
  return numbered(
    file,
    rows.map((r, i) => [numberIn(file, i, head[number] ?? "", r[number] ?? ""), r[prompt] ?? ""]),
  );
}

/** An integer in a column of a .csv. @throws FileError naming the row, from 1, without the head */
function numberIn(file: string, row: number, column: string, text: string): number {
  if (/^\s*\d+\s*$/.test(text)) return Number(text);
  const found = text.trim() === "" ? "empty" : JSON.stringify(text);
  throw new FileError(file, `row ${row + 1}: ${column} is ${found}; expected an integer, at least 0`);
}

/** Prompt of an image; null if the list does not have it. */
export function promptFor(list: PromptList, file: string): string | null {
  const base = path.posix.basename(file);
  const stem = base.replace(/\.\w+$/, "");
  const byName = list.byName.get(file) ?? list.byName.get(base) ?? list.byName.get(stem);
  if (byName !== undefined) return byName;
  const number = /^(\d+)(?!\d)/.exec(stem)?.[1];
  return (number === undefined ? undefined : list.byNumber.get(Number(number))) ?? null;
}
