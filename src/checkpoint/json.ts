/** JSON as Python writes it: configs, indexes, vocabularies of a checkpoint. */
import { FileError, reasonOf } from "../errors.js";

/** Parses JSON, also with Python's bare Infinity and NaN (read as null). @throws FileError with where it stops being JSON */
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
