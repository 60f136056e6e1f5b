/**
 * Writes docs/results.md: every table and figure of the paper on the embedded pair, at full size.
 *
 *     npm run results
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

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
const facts = report.split("\n\n")[1] ?? "";
const { tables } = JSON.parse(readFileSync(`${out}/results.json`, "utf8"));
const verdicts = tables.flatMap((t) => t.judgements.map((j) => j.verdict));
const counts = [...new Set(verdicts)].map((v) => `${v} ${verdicts.filter((x) => x === v).length}`).join(", ");
const introduction = readFileSync(new URL("./results.md", import.meta.url), "utf8");
writeFileSync(
  `${root}docs/results.md`,
  `${introduction}\n${facts}\n\nOf ${verdicts.length} claims: ${counts}.\n${sections}`,
);
