/** Errors of writing: which file, the system's code, and what to do about it. */
import { codeOf, FileError, MachineError } from "../errors.js";

/** For files whose folder is named by an option. */
export const CHOOSE_OUT = "choose another --out";

/** A full disk as MachineError, any other error of the system as FileError. Errors without a code of the system stay as they are. */
export function explained(error: unknown, file: string, problem: string, advice = CHOOSE_OUT): unknown {
  const code = codeOf(error);
  if (code === "") return error;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new MachineError(`${file}: the disk is full; make room or ${advice}`, { cause: error });
  }
  return new FileError(file, `${problem} (${code}); ${advice}`, { cause: error });
}
