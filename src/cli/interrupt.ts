/** Abort signal of Ctrl-C, and of a reader that closes the output. */
import { codeOf, VariegateError } from "../errors.js";

/** The run was interrupted. It stops after the current model call; files are complete, and partial downloads are kept. */
class Interrupted extends VariegateError {
  override readonly name: string = "Interrupted";
  readonly exitCode = 130;
}

const controller = new AbortController();
let readerLeft = false;

/** Aborted by Ctrl-C, and when the reader of the output closes it. */
export const interrupted: AbortSignal = controller.signal;

/** True after the reader of stdout or stderr has closed it, like `head`. */
export const hasReaderLeft = (): boolean => readerLeft;

/** Aborts `interrupted` on SIGINT and SIGTERM, and on a closed pipe: exiting at once would crash ONNX Runtime in its worker. */
export function listenForInterrupt(): void {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => controller.abort(new Interrupted("interrupted; finished files are kept")));
  }
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      if (!readerLeft && codeOf(error) !== "EPIPE") throw error;
      readerLeft = true;
      controller.abort(new Interrupted("the output was closed; finished files are kept"));
    });
  }
}
