/**
 * Writes docs/results.md: every table and figure of the paper on the embedded pair, at full size.
 *
 *     npm run results
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { countsOf, NOTE, summaryOf } from "variegate/experiments";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = `${root}out/results`;
mkdirSync(out, { recursive: true });
const args = ["experiment", "all", "--out", out, "--resume", ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, [`${root}bin/variegate.js`, ...args], {
  stdio: ["ignore", "ignore", "inherit"],
});
if (status !== 0) process.exit(status ?? 1);

const report = readFileSync(`${out}/report.md`, "utf8");
const sections = report.slice(report.indexOf("\n## "));
const { tables, student, models, reference, versions } = JSON.parse(readFileSync(`${out}/results.json`, "utf8"));
const facts = [models, `reference: ${reference}`, ...Object.entries(versions).map(([k, v]) => `${k} ${v}`)].join(" · ");
const verdicts = (t) => countsOf(t.judgements.map((j) => j.verdict));
const summary = [
  "| experiment | the paper | claims here |",
  "|---|---|---|",
  ...tables.map((t) => `| ${t.title} | ${t.found} | ${verdicts(t)} |`),
].join("\n");
const introduction = readFileSync(new URL("./results.md", import.meta.url), "utf8");
const page = [introduction.trimEnd(), student ?? "", `${facts}. ${NOTE}`, "## Summary", summaryOf(tables), summary];
writeFileSync(`${root}docs/results.md`, `${page.filter((part) => part !== "").join("\n\n")}\n${sections}`);
