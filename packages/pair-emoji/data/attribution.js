// Writes ATTRIBUTION.md from the licence data of the packages that the pictures and names are from.
//     node data/attribution.js > ATTRIBUTION.md
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { HOUSES, houseFile, NAMES } from "./houses.js";

const require = createRequire(import.meta.url);
const version = (name) => require(`${name}/package.json`).version;

const rows = Object.entries(HOUSES).map(([house, { package: name }]) => {
  const { name: title, author, license } = houseFile(house, "info");
  return `| ${title} | [${author.name}](${author.url}) | [${license.title}](${license.url}) | ${license.spdx} | ${name} ${version(name)} |`;
});
const licence = readFileSync(require.resolve(`${NAMES}/LICENSE`), "utf8").trim();

process.stdout.write(`# Attribution

The models of this package were trained on emoji of the sets below, and \`world/\` holds some of them. Changes: each was rendered at 64×64
pixels on a white background; symbols, flags and most skin tones were left out. None of the authors endorses these models.
Written by \`data/attribution.js\` from the packages' own data.

| set | author | licence | SPDX | package |
|---|---|---|---|---|
${rows.join("\n")}

Names, groups and subgroups are those of the Unicode CLDR, from ${NAMES} ${version(NAMES)}:

${licence.replace(/^/gm, "    ").replace(/ +$/gm, "")}
`);
