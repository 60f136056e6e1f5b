/** Nouns of prompts: which attributes a prompt has by its subject, and which of them it leaves open. */
import { type Attribute, attributeFinder, phrasesFinder } from "./phrases.js";

/** Attribute of prompts about some nouns; null or missing: of every prompt. */
export type NounAttribute = Attribute & { readonly nouns?: readonly string[] | null };

/** Plural by the regular rules of English; nouns with another plural are listed with it. */
function pluralOf(noun: string): string {
  if (/(s|x|z|ch|sh)$/.test(noun)) return `${noun}es`;
  return /[^aeiou]y$/.test(noun) ? `${noun.slice(0, -1)}ies` : `${noun}s`;
}

/**
 * Returns a function that lists the attributes of a prompt: those without nouns, and those of the list of nouns that the prompt mentions
 * first, which is its subject in most prompts ("a dog in front of a house"). Of two lists at the same position the longer noun counts
 * ("hot dog").
 */
export function attributesForPrompt<A extends NounAttribute>(attributes: readonly A[]): (prompt: string) => A[] {
  const lists = [...new Set(attributes.flatMap(({ nouns }) => (nouns ? [nouns] : [])))].map((nouns) => ({
    nouns,
    find: phrasesFinder(nouns.flatMap((noun) => [noun, pluralOf(noun)])),
  }));
  return (prompt) => {
    const found = lists.flatMap(({ nouns, find }) => {
      const match = find(prompt);
      return match ? [{ nouns, ...match }] : [];
    });
    const [subject] = found.sort((a, b) => a.at - b.at || b.length - a.length);
    return attributes.filter(({ nouns }) => !nouns || nouns === subject?.nouns);
  };
}

/** Returns a function that lists the attributes that a prompt leaves open: those it has and does not name. */
export function openAttributes<A extends NounAttribute>(attributes: readonly A[]): (prompt: string) => A[] {
  const having = attributesForPrompt(attributes);
  const finders = new Map(attributes.map((a) => [a, attributeFinder([a])]));
  return (prompt) => having(prompt).filter((a) => !(a.name in (finders.get(a)?.(prompt) ?? {})));
}
