/** JSON files of a checkpoint: configs, indexes, vocabularies. */
import { readFile, stat } from "node:fs/promises";
import { codeOf, FileError, reasonOf } from "../errors.js";
import { parseJson } from "../files/index.js";

/** A vocabulary has a few megabytes; nothing that is read whole has more. */
const MAX = 64_000_000;

/**
 * Parses a JSON file, also one with Python's bare Infinity and NaN (read as null); with `optional` a file that is not there gives undefined.
 * @throws FileError when it is not there, too large, or not JSON (with where it stops being that)
 */
export async function readJson(file: string, { optional = false } = {}): Promise<unknown> {
  const text = await readText(file, { optional });
  if (text === undefined) return undefined;
  const plain = parseJson(text);
  if (plain !== undefined) return plain;
  try {
    return JSON.parse(withoutPythonNumbers(text));
  } catch (cause) {
    throw new FileError(file, `is not JSON: ${reasonOf(cause)}`, { cause });
  }
}

/** Numbers that Python writes and JSON does not have: infinity as one that JSON.parse reads as infinite, NaN as null. */
const NUMBERS: Readonly<Record<string, string>> = { Infinity: "1e999", NaN: "null" };

/** Replaces Python's numbers outside strings. */
function withoutPythonNumbers(text: string): string {
  let inString = false;
  return text.replace(/\\.|"|\b(?:Infinity|NaN)\b/gs, (token) => {
    if (token === '"') inString = !inString;
    return inString ? token : (NUMBERS[token] ?? token);
  });
}

/** A text file, or undefined when it is optional and not there. @throws FileError */
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
