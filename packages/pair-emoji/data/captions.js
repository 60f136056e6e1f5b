// The grammar of captions: one emoji, said at several levels of detail. What a caption leaves out is free.
//
//   caption = subject [ " with " tone " skin" ] [ " in " style "'s style" ]
//   subject = "an emoji" | a general noun | a subgroup's noun | the name without gender | the name
//
// General nouns and nouns of subgroups are in nouns.json; names, groups and subgroups are CLDR's.
import { readFileSync } from "node:fs";
import { HOUSES } from "./houses.js";

export const NOUNS = JSON.parse(readFileSync(new URL("./nouns.json", import.meta.url), "utf8"));
export const TONES = ["yellow", "light", "medium light", "medium", "medium dark", "dark"];

/** Vowel letters that sound like consonants, as in "a unicorn". */
const CONSONANT = /^(uni|uk|eu|one|u-)/;

/** Lower case, letters and digits alone: "Mrs. Claus" → "mrs claus", "man: red hair" → "man with red hair". */
const plain = (label) =>
  label
    .normalize("NFD")
    .replace(/[\u0300-\u036f’'.]/g, "")
    .toLowerCase()
    .replace(/: (?=facing)/, " ")
    .replace(": ", " with ")
    .replace(/[^a-z0-9]+/g, " ")
    .trim();

/** Nouns that take no article. */
const UNCOUNTED = new Set(["food"]);

/** With an article, unless it is a plural or cannot be counted. */
export function article(noun) {
  const head = noun.split(/ (?:with|in|of|on|for|without) /)[0] ?? noun;
  if (/[^sui]s$/.test(head) || / and /.test(head) || UNCOUNTED.has(noun) || /^\d/.test(noun)) return noun;
  return /^[aeiou]/.test(noun) && !CONSONANT.test(noun) ? `an ${noun}` : `a ${noun}`;
}

/** What a gendered name and its siblings share: "man firefighter", "firefighter" → "firefighter"; "person running" → "running". */
export const family = (label) => plain(label.replace(/\b(woman|women|man|men|person|people)\b/g, " "));

/** Names → the names that share a family with them. */
export function byFamily(names) {
  const families = new Map();
  for (const name of names) families.set(family(name), [...(families.get(family(name)) ?? []), name]);
  return families;
}

/** "woman", "man", "person" for the name without gender, or "none" where the three do not all exist. labels: all there are. */
export function genderOf(label, labels) {
  const forms = labels.get(family(label)) ?? [];
  const gender = (name) => (/\bwoman\b/.test(name) ? "woman" : /\bman\b/.test(name) ? "man" : "person");
  const kinds = forms.map(gender);
  return forms.length === 3 && new Set(kinds).size === 3 ? gender(label) : "none";
}

/** The name without gender: the sibling's own. */
export const neutralOf = (label, labels) =>
  (labels.get(family(label)) ?? []).find((name) => genderOf(name, labels) === "person") ?? label;

/**
 * All captions of one emoji, 24 of them, some twice where there is no skin tone or gender to say, so that each level has the same share: an
 * emoji 1/6, general noun 1/6, subgroup 1/3, name 1/3; tone and style are said in half of the captions of each level, whether the tone
 * is yellow or not.
 */
export function captions({ house, subgroup, parent, tone, labels }) {
  const [specific, general] = NOUNS[subgroup];
  const named = [neutralOf(parent, labels), parent].map((name) => article(plain(name)));
  const subjects = ["an emoji", article(general), article(specific), article(specific), ...named];
  const said = tone === "none" ? ["", ""] : ["", ` with ${tone} skin`];
  const styles = ["", ` in ${HOUSES[house].style}'s style`];
  return subjects.flatMap((subject) => said.flatMap((skin) => styles.map((style) => `${subject}${skin}${style}`)));
}
