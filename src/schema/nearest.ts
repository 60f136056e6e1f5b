/** Names of which a word is a misspelling. */
import { distance } from "fastest-levenshtein";

/** Words from this many letters on may have two wrong ones; shorter ones one. */
const LONG = 8;

/** Two neighbouring letters in the wrong order count as one mistake. */
function mistakes(a: string, b: string): number {
  const swapped = [...a].some((_, i) => a.slice(0, i) + (a[i + 1] ?? "") + (a[i] ?? "") + a.slice(i + 2) === b);
  return swapped ? 1 : distance(a, b);
}

/** Names of which a word is a misspelling, the nearest only. */
export function nearest(word: string, names: Iterable<string>): string[] {
  const bare = (name: string) => name.replace(/^-+/, "");
  const most = bare(word).length < LONG ? 1 : 2;
  const found = [...names].map((name) => ({ name, wrong: mistakes(bare(word), bare(name)) }));
  const least = Math.min(most, ...found.map(({ wrong }) => wrong));
  return found.filter(({ wrong }) => wrong === least).map(({ name }) => name);
}
