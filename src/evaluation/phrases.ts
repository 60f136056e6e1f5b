/** Phrases in prompts: finds the value of each attribute that a prompt names, also where it names an absence ("no hat", "without a hat"). */
import type { AttributeValues } from "../instruments/index.js";

export interface Attribute {
  readonly name: string;
  readonly values: readonly (string | number)[];
  /** Phrases that name each value in a prompt; a phrase "no NOUN" names an absence in every form (see `phrasesFinder`). */
  readonly phrases: readonly (readonly string[])[];
}

/** Values that stand for the absence of an attribute. */
const ABSENT = new Set(["none", "no", "nothing"]);

/** Phrases of a value: those given, or "no NAME" for an absence, or the value itself. */
export function phrasesOf(
  name: string,
  value: string | number,
  given?: string | readonly string[],
): readonly [string, ...string[]] {
  const [first, ...others] = typeof given === "string" ? [given] : (given ?? []);
  if (first !== undefined) return [first, ...others];
  return [ABSENT.has(`${value}`.toLowerCase()) ? `no ${name}` : `${value}`];
}

/** Scripts written without spaces between words, where a phrase matches at any position. */
const UNSPACED = ["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"];
/**
 * Word character of any other script: letter, mark or digit. `\b` is not used because it is ASCII only: it finds no boundary between a
 * space and "é".
 */
const WORD_CHARACTER = String.raw`(?![${UNSPACED.map((s) => `\\p{Script=${s}}`).join("")}])[\p{L}\p{M}\p{N}]`;
const startsWithWord = new RegExp(`^${WORD_CHARACTER}`, "u");
const endsWithWord = new RegExp(`${WORD_CHARACTER}$`, "u");
/** Characters between words. */
const GAP = String.raw`[\s_-]+`;
/** Negation before a noun, with its article, or with another noun that it also negates: "without a", "no hat or". */
const NEGATION = `(?:no|not|without|neither|nor|lacking)(?:${GAP}(?:wearing|having))?(?:${GAP}(?:an?|any|the))?`;
const NEGATED = String.raw`${NEGATION}(?:${GAP}[\p{L}\p{M}]+${GAP}n?or(?:${GAP}(?:an?|any|the))?)?`;
const endsNegated = new RegExp(`(?<!${WORD_CHARACTER})${NEGATED}${GAP}$`, "iu");

const escaped = (part: string) => part.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
const wordsOf = (phrase: string) =>
  phrase
    .split(/[\s_-]+/)
    .map(escaped)
    .join(GAP);

/** Where a text has one of several phrases. */
export interface FoundPhrase {
  /** Index of the first match. */
  readonly at: number;
  /** Length of the match. */
  readonly length: number;
}

/**
 * Returns a function that finds the first of several phrases in a text, of two at one index the longer; null without a match. Whole words
 * match, in any case. Hyphens and underscores separate words like spaces: "3-eyed" names 3, and "top-hat" names a top hat. A phrase after a
 * negation does not match, as "crown" in "without a crown". A phrase "no NOUN" matches every form of that absence.
 */
export function phrasesFinder(phrases: readonly string[]): (text: string) => FoundPhrase | null {
  const sought = phrases.map((p) => p.normalize("NFC").trim()).filter((p) => p !== "");
  if (sought.length === 0) return () => null;
  const finders = sought.map(finderOf);
  return (text) => {
    const whole = text.normalize("NFC");
    const found = finders.flatMap((find) => find(whole) ?? []);
    return found.sort((a, b) => a.at - b.at || b.length - a.length)[0] ?? null;
  };
}

/** Finds one phrase. */
function finderOf(phrase: string): (text: string) => FoundPhrase | null {
  const absent = /^no\s+(\S.*)$/iu.exec(phrase)?.[1];
  if (absent === undefined) {
    const matches = matcherOf(wordsOf(phrase));
    return (text) => matches(text).find(({ at }) => !endsNegated.test(text.slice(0, at))) ?? null;
  }
  const singular = wordsOf(absent.replace(/(?<=\p{L}{2})s$/u, ""));
  const [nouns, adjectives] = [matcherOf(`${singular}s?`), matcherOf(`${singular}(?:${GAP})?less`)];
  return (text) => {
    const negated = nouns(text).flatMap(({ at, length }) => {
      const from = endsNegated.exec(text.slice(0, at))?.index;
      return from === undefined ? [] : [{ at: from, length: at + length - from }];
    });
    return [...negated, ...adjectives(text)].sort((a, b) => a.at - b.at)[0] ?? null;
  };
}

/** Returns a function that lists the matches in whole words. Boundaries are tested apart: Unicode classes make patterns slow to compile. */
function matcherOf(pattern: string): (text: string) => FoundPhrase[] {
  const expression = new RegExp(pattern, "giu");
  return (text) => {
    const found: FoundPhrase[] = [];
    expression.lastIndex = 0;
    for (let match = expression.exec(text); match; match = expression.exec(text)) {
      const [at, end] = [match.index, match.index + match[0].length];
      const cutBefore = startsWithWord.test(match[0]) && endsWithWord.test(text.slice(Math.max(0, at - 2), at));
      const cutAfter = endsWithWord.test(match[0]) && startsWithWord.test(text.slice(end, end + 2));
      if (!cutBefore && !cutAfter) found.push({ at, length: end - at });
      // An index inside of a surrogate pair would match at its start again.
      expression.lastIndex = at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
    }
    return found;
  };
}

/**
 * Returns a function that finds the attributes named in a prompt, each with its value. If several values match, the first one in the
 * prompt counts, and of those at the same index the longest.
 */
export function attributeFinder(attributes: readonly Attribute[]): (prompt: string) => AttributeValues {
  const sought = attributes.map(({ name, values, phrases }) => ({
    name,
    values: values.map((value, i) => ({ value, find: phrasesFinder(phrases[i] ?? []) })),
  }));
  return (prompt) => {
    const named = sought.flatMap(({ name, values }) => {
      const found = values.flatMap(({ value, find }) => {
        const match = find(prompt);
        return match ? [{ value, ...match }] : [];
      });
      const [first] = found.sort((a, b) => a.at - b.at || b.length - a.length);
      return first ? [[name, first.value] as const] : [];
    });
    return Object.fromEntries(named);
  };
}
