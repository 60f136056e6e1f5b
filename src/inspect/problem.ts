/** Error messages for reports that name the inspected file themselves. */
import { realpathSync } from "node:fs";
import type { VariegateError } from "../errors.js";

/** The message of an error, without the path where the error is about that very file. */
export function problemIn(path: string, error: VariegateError): string {
  return "file" in error && typeof error.file === "string" && isSame(error.file, path) ? error.problem : error.message;
}

/** Links are followed: an opened file is named by its real path. */
const isSame = (a: string, b: string): boolean => a === b || real(a) === real(b);

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
