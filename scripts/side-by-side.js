/** Claims of the paper on two pairs side by side: a section of one page of results, from the tables of claims on both pages. */
import { cellsOf } from "./markdown.js";

const HEADING = "## Both pairs side by side";

const INTRODUCTION = `Claims that are tested on both: the embedded pair, whose world was made for it, and the [emoji pair](results-emoji.md), whose images nobody here
designed. Ratios with their 95 % intervals, and the verdict; numbers of images stand on the pages. The base's step in a hybrid is each pair's own default: a DDIM
step on the embedded pair, an LCM step on emoji.`;

/** Every claim of a page: { experiment, claim, measure, here, paper, verdict }. */
export function claimsOn(page) {
  const found = [];
  let experiment = "";
  let head = null;
  for (const line of page.split("\n")) {
    if (line.startsWith("## ")) experiment = line.slice(3);
    if (!line.startsWith("|")) head = null;
    else if (head === null) head = cellsOf(line);
    else if (head[0] === "claim" && head[1] === "measure" && !line.startsWith("|---")) {
      const cells = Object.fromEntries(cellsOf(line).map((cell, i) => [head[i], cell]));
      const { claim, measure, "here [95 %]": here, paper = "–", verdict } = cells;
      found.push({ experiment, claim, measure, here, paper, verdict });
    }
  }
  return found;
}

/** The first page with a section of the claims that both pages test, before the first experiment; a section that it had is replaced. */
export function sideBySide(page, other) {
  const start = page.indexOf(`${HEADING}\n`);
  const end = start < 0 ? -1 : page.indexOf("\n## ", start + 1) + 1;
  const without = start < 0 ? page : `${page.slice(0, start)}${page.slice(end)}`;
  const keyOf = ({ experiment, claim, measure }) => [experiment, claim, measure].join("\n");
  const others = new Map(claimsOn(other).map((c) => [keyOf(c), c]));
  const both = claimsOn(without).flatMap((c) => (others.has(keyOf(c)) ? [[c, others.get(keyOf(c))]] : []));
  if (both.length === 0) return without;
  const cell = ({ here, verdict }) => `${here}, ${verdict}`;
  const rows = both.map(
    ([a, b]) => `| ${[short(a.experiment), a.claim, a.measure, a.paper, cell(a), cell(b)].join(" | ")} |`,
  );
  const table = ["| | claim | measure | paper | embedded | emoji |", "|---|---|---|---|---|---|", ...rows].join("\n");
  const at = without.indexOf("\n## ", without.indexOf("\n## Summary") + 1) + 1;
  return `${without.slice(0, at)}${HEADING}\n\n${INTRODUCTION}\n\n${table}\n\n${without.slice(at)}`;
}

const short = (experiment) => experiment.split(":")[0];
