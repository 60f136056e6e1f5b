/** Packages of pairs: npm packages whose pairs.json lists pairs with models of their own. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { PACKAGED } from "../packaged.js";
import type { PairRow } from "../schema.js";
import { rowsOfFile } from "./rows-of-file.js";

const FILE = "pairs.json";

/** Folder of this package; in its repository the packages of pairs are in packages/. */
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/**
 * Rows of the packages of pairs that are installed: where Node finds packages from the project or from this one, or in this repository.
 * @param project a folder of the user's project
 */
export async function installedPairs(project: string = process.cwd()): Promise<readonly PairRow[]> {
  const rows: PairRow[] = [];
  for (const name of Object.values(PACKAGED)) {
    const file = fileOf(name, project);
    if (file !== undefined) rows.push(...(await rowsOfFile(file, name)));
  }
  return rows;
}

function fileOf(name: string, project: string): string | undefined {
  const installed = [project, ROOT].flatMap((folder) => {
    const places = createRequire(path.join(folder, "package.json")).resolve.paths(name) ?? [];
    return places.map((place) => path.join(place, name, FILE));
  });
  return [...installed, path.join(ROOT, "packages", path.posix.basename(name), FILE)].find((file) => existsSync(file));
}
