/** Ctrl-C, for whatever runs when it comes. */
import { VariegateError } from "../errors.js";

/** Ends after the model call that is running, with whole files only; a download keeps what has come. */
class Interrupted extends VariegateError {
  readonly exitCode = 130;
}

const controller = new AbortController();

/** Aborted by Ctrl-C. */
export const interrupted: AbortSignal = controller.signal;

/** Listens from now on. */
export function listenForInterrupt(): void {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => controller.abort(new Interrupted("interrupted; what was finished is kept")));
  }
}
