/** Abort signal of Ctrl-C. */
import { VariegateError } from "../errors.js";

/** The run was interrupted. It stops after the current model call; files are complete, and partial downloads are kept. */
class Interrupted extends VariegateError {
  readonly exitCode = 130;
}

const controller = new AbortController();

/** Aborted by Ctrl-C. */
export const interrupted: AbortSignal = controller.signal;

/** Aborts `interrupted` on SIGINT and SIGTERM. */
export function listenForInterrupt(): void {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => controller.abort(new Interrupted("interrupted; finished files are kept")));
  }
}
