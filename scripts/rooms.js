/**
 * What follows from rooms.json: the table of rooms in docs/engine.md, and the rooms that tsconfig.core.json checks without Node.
 *
 *     node scripts/rooms.js            prints the table
 *     node scripts/rooms.js --write    replaces both
 *     node scripts/rooms.js --check    ends with 1 when one of them is another
 */
import { readFileSync, writeFileSync } from "node:fs";

const HEAD = ["| floor | room | holds | imports |", "|---|---|---|---|"];

const rooms = JSON.parse(readFileSync(new URL("../rooms.json", import.meta.url), "utf8"));
const table = [
  ...HEAD,
  ...rooms.map(
    ({ floor, room, holds, imports }) => `| ${floor} | \`${room}\` | ${holds} | ${imports.join(", ") || "–"} |`,
  ),
].join("\n");

/** Rooms that run anywhere, apart from their folder node/ where they have one. */
const onNode = new Set(rooms.filter(({ node }) => node === true).map(({ room }) => room));
const core = rooms
  .filter(({ node, imports }) => node === "node/" || (!node && !imports.some((other) => onNode.has(other))))
  .map(({ room }) => `    "src/${room}"`)
  .sort();

/** Files with the part of each that is made from rooms.json, and that part as it should be. */
const MADE = [
  {
    file: "docs/engine.md",
    find: new RegExp(`${HEAD.map((line) => line.replaceAll("|", "\\|")).join("\n")}(\n\\|.*)*`),
    made: table,
  },
  { file: "tsconfig.core.json", find: /"include": \[[^\]]*\]/, made: `"include": [\n${core.join(",\n")}\n  ]` },
];

const [mode] = process.argv.slice(2);
if (mode === undefined) process.stdout.write(`${table}\n`);
else {
  for (const { file, find, made } of MADE) {
    const url = new URL(`../${file}`, import.meta.url);
    const before = readFileSync(url, "utf8");
    const after = before.replace(find, () => made);
    const found = find.test(before);
    if (mode === "--write" && found) writeFileSync(url, after);
    else if (mode !== "--check" || !found || after !== before) {
      process.stderr.write(`${file} does not have the rooms of rooms.json: node scripts/rooms.js --write\n`);
      process.exitCode = 1;
    }
  }
}
