/** Byte source over a local file. */
import { open, realpath, stat } from "node:fs/promises";
import { codeOf, FileError } from "../../errors.js";
import { readAll } from "../../files/index.js";
import type { ByteSource } from "../../tensor/index.js";
import { checkedSource } from "../source.js";

/** Opens the file for each read and closes it after, since a checkpoint needs few reads. @throws FileError */
export async function openFile(name: string): Promise<ByteSource> {
  try {
    const path = await realpath(name);
    const info = await stat(path);
    if (!info.isFile()) throw new FileError(name, "is a folder; expected a file");
    return checkedSource({ name, path, size: info.size }, (offset, length) =>
      readAt(path, offset, length).catch((error: unknown) => {
        throw refused(name, error);
      }),
    );
  } catch (error) {
    throw error instanceof FileError ? error : refused(name, error);
  }
}

async function readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, await readAll(file, bytes, offset));
  } finally {
    await file.close();
  }
}

function refused(name: string, error: unknown): FileError {
  const problem = codeOf(error) === "ENOENT" ? "there is no such file" : `cannot be read (${codeOf(error)})`;
  return new FileError(name, problem, { cause: error });
}
