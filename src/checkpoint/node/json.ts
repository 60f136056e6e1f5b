/** JSON and text files of a checkpoint. */
import { readFile, stat } from "node:fs/promises";
import { codeOf, FileError } from "../../errors.js";
import { parseJsonText } from "../json.js";

/** Maximum size in bytes; the largest of these files, a vocabulary, has a few megabytes. */
const MAX = 64_000_000;

/**
 * Parses a JSON file, including Python's bare Infinity, and NaN as null. With `optional`, a missing file gives undefined.
 * @throws FileError when it is missing, too large, or not JSON (with the position of the syntax error)
 */
export async function readJson(file: string, { optional = false } = {}): Promise<unknown> {
  const text = await readText(file, { optional });
  return text === undefined ? undefined : parseJsonText(text, file);
}

/** Reads a text file. With `optional`, a missing file gives undefined. @throws FileError */
export async function readText(file: string, { optional = false } = {}): Promise<string | undefined> {
  try {
    const { size } = await stat(file);
    if (size > MAX) throw new FileError(file, `is ${size} bytes; a file of this kind has less than ${MAX}`);
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof FileError) throw error;
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") {
      if (optional) return undefined;
      throw new FileError(file, "there is no such file");
    }
    throw new FileError(file, `cannot be read (${code})`, { cause: error });
  }
}
