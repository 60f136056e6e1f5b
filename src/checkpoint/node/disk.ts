/** The disk as a file system. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { codeOf, FileError } from "../../errors.js";
import type { FileSystem } from "../file-system.js";
import { clipTokenizer } from "./clip-vocabulary.js";
import { openFile } from "./file-source.js";
import { readText } from "./json.js";

export const disk: FileSystem = {
  async kindOf(place) {
    const found = await stat(place).catch(() => null);
    return found && (found.isDirectory() ? "folder" : "file");
  },
  names: (folder) =>
    readdir(folder).catch((error: unknown) => {
      throw new FileError(folder, `cannot be read (${codeOf(error)})`, { cause: error });
    }),
  open: openFile,
  text: (file) => readText(file, { optional: true }),
  join: path.join,
  clipTokenizer,
};
