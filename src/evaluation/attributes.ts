/** Attributes of images, such as the colour of a hat: the values that a prompt names, attribute accuracy, and entropy of the free attributes. */
import type { AttributeClassifier, AttributeValues } from "../instruments/index.js";
import { entropy } from "../metrics/index.js";

export interface Attribute {
  readonly name: string;
  readonly values: readonly (string | number)[];
  /** Phrase of each value in prompts. */
  readonly phrases: readonly string[];
}

/** Attributes of a classifier. */
export const attributesOf = ({ config }: Pick<AttributeClassifier, "config">): Attribute[] =>
  Object.entries(config.factors).map(([name, values]) => ({
    name,
    values,
    phrases: values.map((v) => config.words[name]?.[String(v)] ?? String(v)),
  }));

/** Scripts written without spaces between words, where a phrase matches at any position. */
const UNSPACED = ["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"];
/**
 * Word character of any other script: letter, mark or digit. `\b` is not used because it is ASCII only: it finds no boundary between a
 * space and "é".
 */
const WORD_CHARACTER = String.raw`(?![${UNSPACED.map((s) => `\\p{Script=${s}}`).join("")}])[\p{L}\p{M}\p{N}]`;
const startsWithWord = new RegExp(`^${WORD_CHARACTER}`, "u");
const endsWithWord = new RegExp(`${WORD_CHARACTER}$`, "u");

/**
 * Returns a function that finds a phrase in a text: the index of the first match, or −1. Whole words match, in any case. Hyphens and
 * underscores separate words like spaces: "3-eyed" names 3, and "top-hat" names a top hat.
 */
export function phraseFinder(phrase: string): (text: string) => number {
  const sought = phrase.normalize("NFC").trim();
  if (sought === "") return () => -1;
  const literal = (part: string) => part.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
  const words = sought.split(/[\s_-]+/).map(literal);
  const before = startsWithWord.test(sought) ? `(?<!${WORD_CHARACTER})` : "";
  const after = endsWithWord.test(sought) ? `(?!${WORD_CHARACTER})` : "";
  const pattern = new RegExp(before + words.join(String.raw`[\s_-]+`) + after, "iu");
  return (text) => text.normalize("NFC").search(pattern);
}

/**
 * Returns a function that finds the attributes named in a prompt, each with its value. If several values match, the first one in the
 * prompt counts, and of those at the same index the longest.
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

/** Attributes of `all` that are not named. */
export const freeAttributes = (all: readonly string[], named: AttributeValues): string[] =>
  all.filter((name) => !(name in named));

/** Entropy of the values over the images of one prompt, summed over the attributes `free`, in nats. */
export const freeEntropy = (images: readonly AttributeValues[], free: readonly string[]): number =>
  free.reduce((sum, name) => sum + entropy(images.map((values) => values[name] ?? "")), 0);

/** Maximum entropy of the attributes, reached when all values are equally frequent, in nats. */
export const largestEntropy = (attributes: readonly Pick<Attribute, "values">[]): number =>
  attributes.reduce((sum, { values }) => sum + Math.log(values.length), 0);

/** 1 where an image has the named value of an attribute, else 0 [images × named]. Their mean is the attribute accuracy. */
export const attributeAccuracy = (images: readonly AttributeValues[], named: AttributeValues): number[] =>
  images.flatMap((shown) => Object.entries(named).map(([name, value]) => Number(shown[name] === value)));
