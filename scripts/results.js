/**
 * Writes the pages of results: every table and figure of the paper on a pair, and in docs/results.md the claims on both pairs side by side.
 *
 *     npm run results                                     the embedded pair: docs/results.md
 *     npm run results -- --pair emoji --images 512          the emoji pair: docs/results-emoji.md
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { countsOf, NOTE, summaryOf } from "variegate/experiments";
import { sideBySide } from "./side-by-side.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const PAGES = { embedded: "results", emoji: "results-emoji" };
const args = process.argv.slice(2);
const pair = args[args.indexOf("--pair") + 1] === "emoji" ? "emoji" : "embedded";
const out = `${root}out/${PAGES[pair]}`;
mkdirSync(out, { recursive: true });
const run = ["experiment", "all", "--out", out, "--resume", ...args];
const { status } = spawnSync(process.execPath, [`${root}bin/variegate.js`, ...run], {
  stdio: ["ignore", "ignore", "inherit"],
});
if (status !== 0) process.exit(status ?? 1);

const pageOf = (name) => `${root}docs/${PAGES[name]}.md`;
const introductionOf = (name) => readFileSync(`${root}scripts/${PAGES[name]}.md`, "utf8").trimEnd();
const text = (file) => (existsSync(file) ? readFileSync(file, "utf8") : "");

const report = readFileSync(`${out}/report.md`, "utf8");
const sections = report.slice(report.indexOf("\n## "));
const { tables, student, models, reference, versions } = JSON.parse(readFileSync(`${out}/results.json`, "utf8"));
const from = reference.replaceAll(root, "");
const facts = [models, `reference: ${from}`, ...Object.entries(versions).map(([k, v]) => `${k} ${v}`)].join(" · ");
const verdicts = (t) => countsOf(t.judgements.map((j) => j.verdict));
const summary = [
  "| experiment | the paper | claims here |",
  "|---|---|---|",
  ...tables.map((t) => `| ${t.title} | ${t.found} | ${verdicts(t)} |`),
].join("\n");
const page = [introductionOf(pair), student ?? "", `${facts}. ${NOTE}`, "## Summary", summaryOf(tables), summary];
writeFileSync(pageOf(pair), `${page.filter((part) => part !== "").join("\n\n")}\n${sections}`);
writeFileSync(pageOf("embedded"), sideBySide(text(pageOf("embedded")), text(pageOf("emoji"))));
