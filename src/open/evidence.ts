/** Evidence of what a model is, gathered without reading its weights, and the named pair that it leads to. */
import { readFile, realpath } from "node:fs/promises";
import path from "node:path";
import type { PairRow } from "../catalogue/index.js";
import { type Evidence, type Match, recogniseBase, recognisePair } from "../catalogue/node/index.js";
import type { Family } from "../families/index.js";
import type { KnownModel } from "../generate/index.js";
import { type Located, leadsTo } from "./locate.js";

/** The pair whose base this is. */
export function knownBase(located: Located): KnownModel | null {
  const { ref, candidates } = located;
  return modelOf(recogniseBase({ ref, is: leadsTo(located) }, candidates), "base");
}

/** The pair whose distilled model this is. */
export async function knownDistilled(
  located: Located,
  facts: Pick<Evidence, "family" | "isLora" | "guidanceFeatures" | "metadata">,
): Promise<KnownModel | null> {
  const { ref, path: place, candidates } = located;
  if (candidates.length === 0) return null;
  const evidence = { ref, path: place, is: leadsTo(located), sha256: await hashOf(place), ...facts };
  return modelOf(recognisePair(evidence, candidates), "distilled");
}

/** Names of pairs of a family that a model may be one of, one of each author, to suggest. */
export function suggestionsFor({ candidates }: Located, family: Family): string[] {
  const rows = candidates.filter((row) => row.family === family && row.package === null);
  return rows.filter((row, i) => rows.findIndex(({ source }) => source === row.source) === i).map(({ name }) => name);
}

const modelOf = (match: Match | null, which: keyof PairRow["sampling"]): KnownModel | null =>
  match && {
    pair: match.row.name,
    by: match.by,
    match: match.match,
    sampling: match.row.sampling[which],
    scheduler: which === "distilled" ? (match.row.distilledScheduler ?? null) : null,
  };

const SHA256 = /^[0-9a-f]{64}\b/i;

/** SHA-256 of a file where it is recorded: as the name of its blob in the Hub's cache, or in a file beside it; null otherwise. */
async function hashOf(place: string): Promise<string | null> {
  const blob = path.basename(await realpath(place).catch(() => ""));
  const beside = await readFile(`${place}.sha256`, "utf8").catch(() => "");
  return [blob, beside].flatMap((text) => SHA256.exec(text)?.[0].toLowerCase() ?? [])[0] ?? null;
}
