/** Attributes of images, such as the colour of a hat: those that a prompt names, and what images show of the named and of the free ones. */
import type { AttributeClassifier, AttributeValues } from "../instruments/index.js";
import { entropy } from "../metrics/index.js";

export interface Attribute {
  readonly name: string;
  readonly values: readonly (string | number)[];
  /** The phrase by which a prompt names each value. */
  readonly phrases: readonly string[];
}

/** The attributes that a classifier knows. */
export const attributesOf = ({ config }: Pick<AttributeClassifier, "config">): Attribute[] =>
  Object.entries(config.factors).map(([name, values]) => ({
    name,
    values,
    phrases: values.map((v) => config.words[name]?.[String(v)] ?? String(v)),
  }));

/** Scripts written without spaces: a phrase in them is found anywhere. */
const UNSPACED = ["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"];
/**
 * A character that words of other scripts are made of: a letter, mark or digit of any language. The `\b` of regular expressions knows
 * those of ASCII only and finds no boundary between a space and "é".
 */
const INSIDE = String.raw`(?![${UNSPACED.map((s) => `\\p{Script=${s}}`).join("")}])[\p{L}\p{M}\p{N}]`;
const startsInside = new RegExp(`^${INSIDE}`, "u");
const endsInside = new RegExp(`${INSIDE}$`, "u");

/**
 * Finds a phrase in a text as whole words, in any case: the index of its first occurrence, −1 where there is none. A phrase may not
 * begin or end in the middle of a word. Hyphens and underscores separate words as spaces do: "3-eyed" names 3, "top-hat" is a top hat.
 */
export function phraseFinder(phrase: string): (text: string) => number {
  const sought = phrase.normalize("NFC").trim();
  if (sought === "") return () => -1;
  const literal = (part: string) => part.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
  const words = sought.split(/[\s_-]+/).map(literal);
  const before = startsInside.test(sought) ? `(?<!${INSIDE})` : "";
  const after = endsInside.test(sought) ? `(?!${INSIDE})` : "";
  const pattern = new RegExp(before + words.join(String.raw`[\s_-]+`) + after, "iu");
  return (text) => text.normalize("NFC").search(pattern);
}

/**
 * Finds the attributes that a prompt names, each with its value. Of several values the one named first counts, of those that begin at
 * one place the longest.
 */
export function attributeFinder(attributes: readonly Attribute[]): (prompt: string) => AttributeValues {
  const sought = attributes.map(({ name, values, phrases }) => ({
    name,
    values: values.map((value, i) => {
      const phrase = phrases[i] ?? String(value);
      return { value, length: phrase.length, find: phraseFinder(phrase) };
    }),
  }));
  return (prompt) => {
    const named = sought.flatMap(({ name, values }) => {
      const found = values.map((v) => ({ ...v, at: v.find(prompt) })).filter(({ at }) => at >= 0);
      const [first] = found.sort((a, b) => a.at - b.at || b.length - a.length);
      return first ? [[name, first.value] as const] : [];
    });
    return Object.fromEntries(named);
  };
}

/** The attributes of `all` that are not named. */
export const freeAttributes = (all: readonly string[], named: AttributeValues): string[] =>
  all.filter((name) => !(name in named));

/** Entropy of the values that the images of one prompt show, summed over the attributes `free`, in nats. */
export const freeEntropy = (images: readonly AttributeValues[], free: readonly string[]): number =>
  free.reduce((sum, name) => sum + entropy(images.map((values) => values[name] ?? "")), 0);

/** The largest entropy that attributes allow: every value equally frequent. */
export const largestEntropy = (attributes: readonly Pick<Attribute, "values">[]): number =>
  attributes.reduce((sum, { values }) => sum + Math.log(values.length), 0);

/** Attribute accuracy: 1 for each named attribute that an image shows as named, else 0 [images × named]. */
export const attributeAccuracy = (images: readonly AttributeValues[], named: AttributeValues): number[] =>
  images.flatMap((shown) => Object.entries(named).map(([name, value]) => Number(shown[name] === value)));
