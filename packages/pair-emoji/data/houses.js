// The seven sets of emoji: their packages, the words for their styles, and which CLDR emoji each of their icons shows.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** A set's npm package, and its name in captions. */
export const HOUSES = {
  noto: { package: "@iconify-json/noto", style: "Noto" },
  "noto-v1": { package: "@iconify-json/noto-v1", style: "Classic" },
  "fluent-emoji": { package: "@iconify-json/fluent-emoji", style: "Fluent" },
  "fluent-emoji-flat": { package: "@iconify-json/fluent-emoji-flat", style: "Flat" },
  fxemoji: { package: "@iconify-json/fxemoji", style: "Firefox" },
  twemoji: { package: "@iconify-json/twemoji", style: "Twemoji" },
  emojione: { package: "@iconify-json/emojione", style: "EmojiOne" },
};

export const NAMES = "emojibase-data";
/** Shortcodes that are older or shorter names of the same emoji. */
const SHORTCODES = ["cldr", "github", "iamcal", "joypixels", "emojibase"];

/** A file of a house's package: icons, chars, info. */
export const houseFile = (house, file) => require(`${HOUSES[house].package}/${file}.json`);

/** A name as the sets spell it: "Mrs. Claus" → "mrs-claus". */
const slug = (name) =>
  name
    .normalize("NFD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/[’'“”.,!]/g, "")
    .replace(/&/g, "and")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");

const squeezed = (name) => name.replace(/-/g, "");
const withoutSelectors = (hexcode) => hexcode.toUpperCase().replace(/-FE0F/g, "");

/** All emoji of CLDR: each with its label, group and subgroup by name, and the emoji without skin tone that it belongs to. */
export function allEmoji() {
  const { groups, subgroups } = require(`${NAMES}/meta/groups.json`);
  return require(`${NAMES}/en/data.json`)
    .filter((e) => e.group !== undefined)
    .flatMap((e) => [e, ...(e.skins ?? [])].map((one) => ({ ...one, of: e })))
    .map(({ label, hexcode, group, subgroup, tone, of }) => ({
      label,
      hexcode,
      group: groups[group],
      subgroup: subgroups[subgroup],
      tones: tone === undefined ? [] : [tone].flat(),
      parent: of.label,
      hasTones: of.skins !== undefined,
    }));
}

/** Names → emoji, in the order in which they are trusted: CLDR's labels, names in the sets that state code points, shortcodes. */
function names(emoji) {
  const byCode = new Map(emoji.map((e) => [withoutSelectors(e.hexcode), e]));
  const labels = new Map(emoji.map((e) => [slug(e.label), e]));
  const named = new Map();
  const note = (map, name, hexcode) => {
    const found = byCode.get(withoutSelectors(hexcode));
    if (found && !map.has(name)) map.set(name, found);
  };
  for (const house of Object.keys(HOUSES))
    for (const [hexcode, name] of Object.entries(houseFile(house, "chars"))) note(named, name, hexcode);
  const codes = new Map();
  for (const file of SHORTCODES)
    for (const [hexcode, given] of Object.entries(require(`${NAMES}/en/shortcodes/${file}.json`)))
      for (const name of [given].flat()) note(codes, name.replace(/_/g, "-"), hexcode);
  const ordered = [labels, named, codes];
  const close = new Map();
  for (const map of ordered) for (const [name, e] of map) if (!close.has(squeezed(name))) close.set(squeezed(name), e);
  return { byCode, ordered, close };
}

/**
 * For each house the icons that show an emoji, as [icon name, emoji], each emoji once, and counts of how the icons were matched: by the
 * set's own code points ("code"), by name, or not at all. Only fxemoji, which writes names in one word, is matched without hyphens.
 */
export function matched(emoji) {
  const { byCode, ordered, close } = names(emoji);
  return Object.fromEntries(
    Object.keys(HOUSES).map((house) => {
      const own = new Map();
      for (const [hexcode, name] of Object.entries(houseFile(house, "chars")))
        if (byCode.has(withoutSelectors(hexcode))) own.set(name, byCode.get(withoutSelectors(hexcode)));
      const found = new Map();
      const count = { icons: 0, code: 0, name: 0, unmatched: 0, twice: 0 };
      for (const icon of Object.keys(houseFile(house, "icons").icons)) {
        const byName = () =>
          ordered.map((map) => map.get(icon)).find(Boolean) ??
          (house === "fxemoji" ? close.get(squeezed(icon)) : undefined);
        const e = own.get(icon) ?? byName();
        count.icons++;
        if (!e) count.unmatched++;
        else if (found.has(e.hexcode)) count.twice++;
        else {
          found.set(e.hexcode, [icon, e]);
          count[own.has(icon) ? "code" : "name"]++;
        }
      }
      return [house, { icons: [...found.values()], count }];
    }),
  );
}
