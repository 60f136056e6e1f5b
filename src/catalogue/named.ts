/** Named pairs by their names. */
import { distance } from "fastest-levenshtein";
import { RequestError } from "../errors.js";
import { PACKAGED } from "./packaged.js";
import { PAIRS } from "./rows.js";
import type { PairRow } from "./schema.js";

/** @throws RequestError with the package that has the pair where it is not installed, else with the nearest names */
export function pairNamed(name: string, rows: readonly PairRow[] = PAIRS): PairRow {
  const found = rows.find((p) => p.name === name);
  if (found) return found;
  if (Object.hasOwn(PACKAGED, name))
    throw new RequestError(
      `--pair ${name}: is in the package ${PACKAGED[name]}, which is not installed here. \`npm install ${PACKAGED[name]}\` installs it`,
    );
  const near = rows
    .map((r) => ({ name: r.name, far: farFrom(name.toLowerCase(), r.name) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map((r) => r.name);
  throw new RequestError(
    `--pair ${name}: no such pair; the nearest are ${near.join(", ")}. \`variegate models list\` shows all`,
  );
}

/** Edit distance; below 1 where one name contains the other. */
const farFrom = (asked: string, name: string): number =>
  name.includes(asked) ? (name.length - asked.length) / 100 : distance(asked, name);
