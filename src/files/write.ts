/** Writes whole files: under a temporary name first, then renamed, so that a file that exists is complete. */
import { open, rename, rm } from "node:fs/promises";
import { writeAll } from "./bytes.js";
import { CHOOSE_OUT, explained } from "./explain.js";
import { partialOf } from "./partial.js";

/** Takes the bytes of a file in order. Each call is awaited before the next. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
}

/**
 * Writes a file, flushes it to the disk and replaces an older one in a single step. Of several writers at once the last to finish
 * determines the content.
 * @param content the bytes, or a function that writes them one part after the other
 * @param advice what the user can do where the file cannot be written
 * @throws MachineError when the disk is full; FileError when the file cannot be written; what `content` throws. The old file is kept
 * and nothing is left half-written
 */
export async function writeWhole(
  file: string,
  content: Uint8Array | ((sink: Sink) => Promise<void>),
  advice = CHOOSE_OUT,
): Promise<void> {
  const partial = partialOf(file);
  const fail = (error: unknown): never => {
    throw explained(error, file, "cannot be written", advice);
  };
  const handle = await open(partial, "wx").catch(fail);
  try {
    const sink: Sink = { write: (bytes) => writeAll(handle, bytes).catch(fail) };
    try {
      await (content instanceof Uint8Array ? sink.write(content) : content(sink));
      await handle.sync().catch(fail);
    } finally {
      await handle.close().catch(fail);
    }
    await rename(partial, file).catch(fail);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    throw error;
  }
}
