/**
 * The table of rooms in docs/engine.md, made from rooms.json.
 *
 *     node scripts/rooms.js            prints the table
 *     node scripts/rooms.js --write    replaces the table in docs/engine.md
 *     node scripts/rooms.js --check    ends with 1 when docs/engine.md has another table
 */
import { readFileSync, writeFileSync } from "node:fs";

const PAGE = new URL("../docs/engine.md", import.meta.url);
const HEAD = ["| floor | room | holds | imports |", "|---|---|---|---|"];

const rooms = JSON.parse(readFileSync(new URL("../rooms.json", import.meta.url), "utf8"));
const table = [
  ...HEAD,
  ...rooms.map(
    ({ floor, room, holds, imports }) => `| ${floor} | \`${room}\` | ${holds} | ${imports.join(", ") || "–"} |`,
  ),
].join("\n");

const page = readFileSync(PAGE, "utf8");
const start = page.indexOf(HEAD.join("\n"));
const length = page.slice(start).search(/\n(?!\|)/);
const updated = start < 0 ? page : page.slice(0, start) + table + page.slice(start + length);

const [mode] = process.argv.slice(2);
if (mode === "--write" && start >= 0) writeFileSync(PAGE, updated);
else if (mode === undefined) process.stdout.write(`${table}\n`);
else if (mode !== "--check" || start < 0 || updated !== page) {
  process.stderr.write("docs/engine.md does not have the rooms of rooms.json: node scripts/rooms.js --write\n");
  process.exitCode = 1;
}
