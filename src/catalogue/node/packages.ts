/** Packages of pairs: npm packages whose pairs.json lists pairs with models of their own. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { PairRow } from "../schema.js";
import { rowsOfFile } from "./rows-of-file.js";

const PACKAGES = ["@variegate/pair-emoji", "@variegate/pair-taught"];
const FILE = "pairs.json";

/** The folder of this package; in its repository the packages of pairs are in packages/. */
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/**
 * Rows of the packages of pairs that are installed: in this repository, or where Node finds packages from this one or from the project.
 * @param project a folder of the user's project
 */
export async function installedPairs(project: string = process.cwd()): Promise<readonly PairRow[]> {
  const rows: PairRow[] = [];
  for (const name of PACKAGES) {
    const file = fileOf(name, project);
    if (file !== undefined) rows.push(...(await rowsOfFile(file, name)));
  }
  return rows;
}

function fileOf(name: string, project: string): string | undefined {
  const inRepository = path.join(ROOT, "packages", path.posix.basename(name), FILE);
  if (existsSync(inRepository)) return inRepository;
  for (const folder of [ROOT, project]) {
    const places = createRequire(path.join(folder, "package.json")).resolve.paths(name) ?? [];
    const found = places.map((place) => path.join(place, name, FILE)).find((file) => existsSync(file));
    if (found !== undefined) return found;
  }
  return undefined;
}
