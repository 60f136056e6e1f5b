// Renders the emoji of seven sets as the training data of the pair: 64×64 on white, with captions and attributes.
//     npm ci && node data/render.js --out ../../made      about a minute; writes made/data/ and made/contact-sheet.png
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { byFamily, captions, family, genderOf, NOUNS, TONES } from "./captions.js";
import { allEmoji, HOUSES, houseFile, matched } from "./houses.js";
import { setting } from "./setting.js";

const SIZE = 64;
const DRAWN_AT = 256;
const BACKGROUND = "#ffffff";
/** Shares held out: of names, whole, with all genders and skin tones of one name; and of the drawings of other names. */
const HELD_OUT = { names: 0.05, drawings: 0.03 };

/** A number in 0…1 that hangs on the text alone. */
const share = (text) => createHash("sha256").update(text).digest().readUInt32BE(0) / 2 ** 32;

/** The list from one of its elements on, so that the first caption of a picture is any of them. */
const rotated = (list, at) => [
  ...list.slice(Math.floor(at * list.length)),
  ...list.slice(0, Math.floor(at * list.length)),
];

/** What one icon shows, or null where it is left out. */
function attributes(house, e, labels) {
  if (!(e.subgroup in NOUNS) || e.tones.length > 1) return null;
  // Of the five skin tones one a name and house, so that people do not outnumber everything else.
  const shown = 1 + Math.floor(5 * share(`${house} ${e.parent}`));
  if (e.tones.length === 1 && e.tones[0] !== shown) return null;
  const tone = e.hasTones ? TONES[e.tones[0] ?? 0] : "none";
  return { house, subgroup: e.subgroup, tone, gender: genderOf(e.parent, labels), name: e.parent, hexcode: e.hexcode };
}

function setOf({ house, name, hexcode }) {
  if (share(family(name)) < HELD_OUT.names) return "held-out";
  return share(`${house} ${hexcode}`) < HELD_OUT.drawings ? "drawings" : "training";
}

/** uint8 RGB, 64×64. */
async function render(house, icon) {
  const set = houseFile(house, "icons");
  const { body, left = 0, top = 0, width = set.width ?? 16, height = set.height ?? 16 } = set.icons[icon];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${DRAWN_AT}" height="${DRAWN_AT}" viewBox="${left} ${top} ${width} ${height}">${body}</svg>`;
  const options = { fit: "contain", background: BACKGROUND };
  return sharp(Buffer.from(svg))
    .flatten({ background: BACKGROUND })
    .resize(SIZE, SIZE, options)
    .removeAlpha()
    .toColourspace("srgb")
    .raw()
    .toBuffer();
}

/** NumPy's .npy of uint8 [N, 64, 64, 3]. */
function npy(images) {
  const description = `{'descr': '|u1', 'fortran_order': False, 'shape': (${images.length}, ${SIZE}, ${SIZE}, 3), }`;
  const header = Buffer.from(`${description.padEnd(128 - 10 - 1)}\n`);
  const start = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length, 0]);
  return Buffer.concat([start, header, ...images]);
}

/** A contact sheet: rows of 24 pictures. */
function sheet(images, columns = 24) {
  const rows = Math.ceil(images.length / columns);
  const places = images.map((input, i) => ({
    input,
    raw: { width: SIZE, height: SIZE, channels: 3 },
    left: (i % columns) * SIZE,
    top: Math.floor(i / columns) * SIZE,
  }));
  return sharp({ create: { width: columns * SIZE, height: rows * SIZE, channels: 3, background: BACKGROUND } })
    .composite(places)
    .png()
    .toBuffer();
}

const { values: given } = parseArgs({
  options: { out: { type: "string", default: "made" }, count: { type: "boolean", default: false } },
});
const emoji = allEmoji();
const labels = byFamily([...new Set(emoji.map((e) => e.parent))]);
const sets = { training: [], "held-out": [], drawings: [] };
const counts = {};
for (const [house, { icons, count }] of Object.entries(matched(emoji))) {
  const kept = icons.flatMap(([icon, e]) => {
    const shown = attributes(house, e, labels);
    return shown ? [{ icon, shown }] : [];
  });
  counts[house] = { ...count, kept: kept.length };
  for (const { icon, shown } of given.count ? [] : kept) {
    const said = rotated(
      captions({ ...shown, parent: shown.name, labels }),
      share(`caption ${house} ${shown.hexcode}`),
    );
    sets[setOf(shown)].push({ image: await render(house, icon), shown, said });
  }
  process.stderr.write(`${house}: ${JSON.stringify(counts[house])}\n`);
}
if (!given.count) {
  for (const [name, pictures] of Object.entries(sets)) {
    const folder = path.join(given.out, "data", name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "images.npy"), npy(pictures.map((p) => p.image)));
    writeFileSync(path.join(folder, "captions.json"), JSON.stringify(pictures.map((p) => p.said)));
    writeFileSync(path.join(folder, "factors.json"), JSON.stringify(pictures.map((p) => p.shown)));
    process.stderr.write(
      `${name}: ${pictures.length} pictures, ${new Set(pictures.map((p) => p.shown.name)).size} names, ${new Set(pictures.flatMap((p) => p.said)).size} captions\n`,
    );
  }
  writeFileSync(path.join(given.out, "data", "setting.json"), `${JSON.stringify(setting(), null, 1)}\n`);
  const spread = Object.keys(HOUSES).flatMap((house) => {
    const own = sets.training.filter((p) => p.shown.house === house);
    return Array.from({ length: 72 }, (_, i) => own[Math.floor((i * own.length) / 72)].image);
  });
  writeFileSync(path.join(given.out, "contact-sheet.png"), await sheet(spread));
}
