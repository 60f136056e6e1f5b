/** Captions of the images of a folder, in the forms that trainers know: metadata.jsonl, captions.csv, a .txt beside each image. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { FileError } from "../../errors.js";
import { csvRows, parseJson } from "../../files/index.js";

/** Names of the lists, in the order in which they are read. */
const [JSONL, CSV] = ["metadata.jsonl", "captions.csv"];
const FILE_KEYS = ["file_name", "file", "filename", "image", "path"];
const CAPTION_KEYS = ["text", "caption", "prompt"];

/** Captions by the path of their image, relative to the folder, with slashes. */
export type Captions = ReadonlyMap<string, string>;

/**
 * Captions of a list in the folder; null without one.
 * @throws FileError naming the line without an image or a caption, or of an image that is not there
 */
export function listedCaptions(folder: string): Captions | null {
  for (const [name, read] of [
    [JSONL, fromJsonl],
    [CSV, fromCsv],
  ] as const) {
    const file = path.join(folder, name ?? "");
    if (!existsSync(file)) continue;
    const captions = new Map<string, string>();
    for (const { line, image, caption } of read(file, readFileSync(file, "utf8").replace(/^\ufeff/, ""))) {
      const named = image.replaceAll("\\", "/").replace(/^\.\//, "");
      if (!existsSync(path.join(folder, named)))
        throw new FileError(file, `line ${line}: there is no ${named} in the folder`);
      captions.set(named, caption.trim());
    }
    return captions;
  }
  return null;
}

interface Row {
  /** Counted from 1. */
  readonly line: number;
  readonly image: string;
  readonly caption: string;
}

function fromJsonl(file: string, text: string): Row[] {
  return text.split(/\r?\n/).flatMap((content, i) => {
    if (content.trim() === "") return [];
    const row = z.record(z.string(), z.unknown()).safeParse(parseJson(content));
    const value = (keys: readonly string[]) => keys.map((key) => row.data?.[key]).find((v) => typeof v === "string");
    const [image, caption] = [value(FILE_KEYS), value(CAPTION_KEYS)];
    if (typeof image !== "string" || typeof caption !== "string")
      throw new FileError(
        file,
        `line ${i + 1}: expected an object such as {"file_name": "1.png", "text": "a caption"}`,
      );
    return [{ line: i + 1, image, caption }];
  });
}

function fromCsv(file: string, text: string): Row[] {
  const [head = [], ...rows] = csvRows(file, text);
  const column = (keys: readonly string[]) => head.findIndex((name) => keys.includes(name.trim().toLowerCase()));
  const [image, caption] = [column(FILE_KEYS), column(CAPTION_KEYS)];
  if (image < 0 || caption < 0)
    throw new FileError(file, `expected columns file and caption; it has: ${head.join(", ") || "nothing"}`);
  return rows.map((row, i) => ({ line: i + 2, image: row[image] ?? "", caption: row[caption] ?? "" }));
}

/** Caption in the .txt beside an image; null without one, or where it is empty. */
export function captionBeside(image: string): string | null {
  const file = image.replace(/\.\w+$/, ".txt");
  if (!existsSync(file)) return null;
  return (
    readFileSync(file, "utf8")
      .replace(/^\ufeff/, "")
      .trim() || null
  );
}
