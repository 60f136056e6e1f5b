/** JSON as Python writes it: configs, indexes and vocabularies of a checkpoint. */
import { FileError, reasonOf } from "../errors.js";

/** Parses JSON, including Python's bare Infinity, and NaN as null. @throws FileError with the position of the syntax error */
export function parseJsonText(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parsePython(text, file);
  }
}

function parsePython(text: string, file: string): unknown {
  try {
    return JSON.parse(withoutPythonNumbers(text));
  } catch (cause) {
    throw new FileError(file, `is not JSON: ${reasonOf(cause)}`, { cause });
  }
}

/** JSON for Python's non-finite numbers: a literal that JSON.parse reads as infinite, and null for NaN. */
const NUMBERS: Readonly<Record<string, string>> = { Infinity: "1e999", NaN: "null" };

/** Replaces Python's non-finite numbers outside strings. */
function withoutPythonNumbers(text: string): string {
  let inString = false;
  return text.replace(/\\.|"|\b(?:Infinity|NaN)\b/gs, (token) => {
    if (token === '"') inString = !inString;
    return inString ? token : (NUMBERS[token] ?? token);
  });
}
