/** All named pairs of a run: built-in ones, those of installed packages, and those of a user's pair file. */

import { PAIRS } from "../rows.js";
import type { PairRow } from "../schema.js";
import { installedPairs } from "./packages.js";
import { rowsOfFile } from "./rows-of-file.js";

/**
 * The built-in rows, those of packages of pairs that are installed, and those of `file`. A row replaces earlier ones of its name.
 * References in `file` that begin with "./" or "../" are relative to its folder.
 * @throws FileError naming the row and the field that is wrong
 */
export async function readPairs(file: string | undefined): Promise<readonly PairRow[]> {
  const installed = await installedPairs();
  const own = file ? await rowsOfFile(file) : [];
  const names = (rows: readonly PairRow[]) => new Set(rows.map((row) => row.name));
  const [inFile, inPackages] = [names(own), names(installed)];
  const rest = installed.filter((row) => !inFile.has(row.name));
  return [...PAIRS.filter((p) => !inFile.has(p.name) && !inPackages.has(p.name)), ...rest, ...own];
}
