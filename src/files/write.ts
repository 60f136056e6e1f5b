/** Writes whole files: under another name first, then renamed, so that a file that is there is complete. */
import { open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { codeOf, FileError, MachineError } from "../errors.js";

/** @throws MachineError when the disk is full; FileError when the place cannot be written to. Nothing is left half-written. */
export async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const partial = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.partial`);
  try {
    const handle = await open(partial, "w");
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    const code = codeOf(error);
    if (code === "ENOSPC" || code === "EDQUOT") {
      throw new MachineError(
        `${file}: the disk is full, ${bytes.length} bytes were to be written; make room or choose another --out`,
        { cause: error },
      );
    }
    throw new FileError(file, `cannot be written (${code}); choose another --out`, { cause: error });
  }
}
