/** Bytes that can be read anywhere in them: the one door through which a checkpoint is looked at. This file holds its Node side. */
import { open, realpath, stat } from "node:fs/promises";
import { codeOf, FileError } from "../errors.js";
import { readAll } from "../files/index.js";

export interface ByteSource {
  /** Named in messages; for files the real path, symlinks resolved. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Bytes [offset, offset + length). @throws FileError when they are not all there */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Opens a file for each read and closes it again: a checkpoint is looked at a few times only. @throws FileError */
export async function openFile(path: string): Promise<ByteSource> {
  try {
    const name = await realpath(path);
    const info = await stat(name);
    if (!info.isFile()) throw new FileError(path, "is a folder; expected a file");
    return { name, size: info.size, read: (offset, length) => readAt(name, info.size, offset, length) };
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(
      path,
      codeOf(error) === "ENOENT" ? "there is no such file" : `cannot be read (${codeOf(error)})`,
      {
        cause: error,
      },
    );
  }
}

async function readAt(name: string, size: number, offset: number, length: number): Promise<Uint8Array> {
  // Checked before memory is taken: the numbers may come from a broken file.
  if (offset < 0 || length < 0 || offset + length > size) {
    throw new FileError(name, `is cut short: bytes up to ${offset + length} are needed, it has ${size}`);
  }
  const file = await open(name, "r");
  try {
    const bytes = new Uint8Array(length);
    const read = await readAll(file, bytes, offset);
    if (read !== length) throw new FileError(name, `gave ${read} bytes where ${length} were asked for`);
    return bytes;
  } finally {
    await file.close();
  }
}
