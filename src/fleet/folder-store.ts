/** The store in a folder: of one machine, or shared by several over a network. */
import { link, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { codeOf, FileError } from "../errors.js";
import { explained, makeFolder, partialOf, writeWhole } from "../files/index.js";
import type { ObjectStore } from "./store.js";

const ADVICE = "choose another --store";

export function folderStore(folder: string): ObjectStore {
  return {
    address: folder,

    async add(name, bytes) {
      const file = path.join(folder, name);
      await makeFolder(path.dirname(file), ADVICE);
      // Linked under its name when it is whole: a link does not replace a file that is there.
      const whole = partialOf(file);
      await writeWhole(whole, bytes, ADVICE);
      try {
        await link(whole, file);
        return true;
      } catch (error) {
        if (codeOf(error) === "EEXIST") return false;
        return await addByRename(whole, file);
      } finally {
        await rm(whole, { force: true });
      }
    },

    async read(name) {
      const file = path.join(folder, name);
      return readFile(file).catch((error: unknown) => {
        if (["ENOENT", "ENOTDIR"].includes(codeOf(error))) return null;
        throw new FileError(file, `cannot be read (${codeOf(error)})`, { cause: error });
      });
    },

    async list(prefix) {
      const under = path.join(folder, path.dirname(`${prefix}x`));
      const entries = await readdir(under, { recursive: true, withFileTypes: true }).catch(() => []);
      return entries
        .filter((e) => e.isFile() && !e.name.endsWith(".partial"))
        .map((e) => path.relative(folder, path.join(e.parentPath, e.name)).replaceAll(path.sep, "/"))
        .filter((name) => name.startsWith(prefix))
        .sort();
    },

    close: async () => {},
  };
}

/** For file systems without hard links: two writers at the same moment write the same result. */
async function addByRename(whole: string, file: string): Promise<boolean> {
  if (await stat(file).catch(() => null)) return false;
  await rename(whole, file).catch((error: unknown) => {
    throw explained(error, file, "cannot be written", ADVICE);
  });
  return true;
}
