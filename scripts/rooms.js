/**
 * Writes what is derived from rooms.json: the table of rooms in docs/engine.md, and the rooms that tsconfig.core.json type-checks without Node.
 *
 *     node scripts/rooms.js            print the table
 *     node scripts/rooms.js --write    update both files
 *     node scripts/rooms.js --check    exit with 1 if a file is out of date
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

/** Rooms that need Node. */
const onNode = new Set(rooms.filter(({ node }) => node === true).map(({ room }) => room));
/** Rooms that run without Node, except for their folder node/. */
const core = rooms
  .filter(({ node, imports }) => node === "node/" || (!node && !imports.some((other) => onNode.has(other))))
  .map(({ room }) => `    "src/${room}"`)
  .sort();

/** Derived part of each file, and its expected text. */
const DERIVED = [
  {
    file: "docs/engine.md",
    find: new RegExp(`${HEAD.map((line) => line.replaceAll("|", "\\|")).join("\n")}(\n\\|.*)*`),
    text: table,
  },
  { file: "tsconfig.core.json", find: /"include": \[[^\]]*\]/, text: `"include": [\n${core.join(",\n")}\n  ]` },
];

const [mode] = process.argv.slice(2);
if (mode === undefined) process.stdout.write(`${table}\n`);
else {
  for (const { file, find, text } of DERIVED) {
    const url = new URL(`../${file}`, import.meta.url);
    const before = readFileSync(url, "utf8");
    const after = before.replace(find, () => text);
    const found = find.test(before);
    if (mode === "--write" && found) writeFileSync(url, after);
    else if (mode !== "--check" || !found || after !== before) {
      process.stderr.write(`${file} is out of date with rooms.json; run node scripts/rooms.js --write\n`);
      process.exitCode = 1;
    }
  }
}
