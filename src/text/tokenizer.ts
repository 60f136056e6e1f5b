/** Tokenizer for text encoders: prompts → a fixed number of token ids. Supports added tokens for textual inversion. */
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { RequestError } from "../errors.js";

/** An encoded prompt. */
export interface Tokens {
  /** `maxLength` ids: start token, prompt, end token, padding. */
  readonly ids: readonly number[];
  /** Number of prompt tokens beyond `maxLength` − 2, which are dropped. */
  readonly truncated: number;
}

/**
 * A token with `vectors` embeddings. It adds the tokens `token`, `token_1`, … to the vocabulary, one per embedding; in a prompt the first of
 * them is expanded to all, as by diffusers' `maybe_convert_prompt`.
 */
export interface MultiVectorToken {
  readonly token: string;
  readonly vectors: number;
}

/** Encodes prompts. */
export interface Tokenizer {
  /** Number of ids of an encoded prompt, start and end token included. */
  readonly maxLength: number;
  /** Vocabulary size; tokens added by `withTokens` get ids from here on. */
  readonly size: number;
  /** Encodes a prompt, truncated and padded to `maxLength`. */
  encode(prompt: string): Tokens;
  /** Tokens of a text, without start token, end token and truncation. Each unit is one token, or all tokens of a multi-vector token. */
  units(text: string): readonly (readonly number[])[];
  /** Start token, `ids`, end token, padding: `maxLength` ids. @throws RequestError for more than `maxLength` − 2 ids */
  frame(ids: readonly number[]): readonly number[];
  /** Id of a token of the vocabulary; undefined where it has none. */
  idOf(token: string): number | undefined;
  /** Words of a text that a closed vocabulary does not have, each once. Empty for an open vocabulary such as CLIP's. */
  unknownWords(text: string): readonly string[];
  /**
   * This tokenizer with tokens added. Their ids follow `size` in order.
   * @throws RequestError when a token is in the vocabulary already, or is tokenized as other tokens
   */
  withTokens(tokens: readonly MultiVectorToken[]): Tokenizer;
}

/** A token that is matched in prompts before pre-tokenization, as in tokenizer.json. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Matched after normalisation, hence case-insensitively if the normaliser lower-cases. */
  readonly normalized: boolean;
  /** Whitespace before or after the token is part of the match. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly special: boolean;
}

/** Definition of a tokenizer. */
export interface TokenizerDefinition {
  /** Sections of tokenizer.json. */
  readonly pipeline: Readonly<Record<"model" | "normalizer" | "pre_tokenizer", unknown>>;
  readonly vocabulary: Readonly<Record<string, number>>;
  readonly added: readonly AddedToken[];
  /** All words, in lower case, of a vocabulary that was made from a fixed list of words; undefined for one that was made from text. */
  readonly words?: ReadonlySet<string> | undefined;
  /** Ids of the start, end and padding tokens. */
  readonly start: number;
  readonly end: number;
  readonly padding: number;
  readonly maxLength: number;
}

/** Token ids of a prompt without start token, end token and padding. */
type Split = (prompt: string) => readonly number[];

/** Creates a tokenizer from its definition. */
export const tokenizerOf = (definition: TokenizerDefinition): Tokenizer => tokenizer(definition, splitOf(definition));

/** @param groups expansions: the ids that replace an id */
function tokenizer(
  definition: TokenizerDefinition,
  split: Split,
  groups: ReadonlyMap<number, readonly number[]> = new Map(),
): Tokenizer {
  const { vocabulary, added, start, end, padding, maxLength } = definition;
  const size = [...Object.values(vocabulary), ...added.map((t) => t.id)].reduce((n, id) => Math.max(n, id + 1), 0);
  const units = (text: string) => split(text).map((id) => groups.get(id) ?? [id]);
  const frame = (ids: readonly number[]): readonly number[] => {
    const room = maxLength - 2 - ids.length;
    if (room >= 0) return [start, ...ids, end, ...new Array<number>(room).fill(padding)];
    throw new RequestError(`a textual inversion of ${ids.length} embeddings; a text encoder takes ${maxLength - 2}`);
  };
  return {
    maxLength,
    size,
    units,
    frame,
    idOf: (token) => vocabulary[token],
    unknownWords: (text) => (definition.words ? unknownWords(text, definition.words, added) : []),
    encode(prompt) {
      const found = units(prompt).flat();
      const kept = found.slice(0, maxLength - 2);
      return { ids: frame(kept), truncated: found.length - kept.length };
    },
    withTokens(tokens) {
      const names = tokens.flatMap(({ token, vectors }) =>
        Array.from({ length: vectors }, (_, i) => (i === 0 ? token : `${token}_${i}`)),
      );
      checkUnused(names, [...Object.keys(vocabulary), ...added.map((t) => t.content)]);
      const flags = { normalized: true, lstrip: false, rstrip: false, special: false };
      const more = names.map((content, i): AddedToken => ({ id: size + i, content, ...flags }));
      const grown = { ...definition, added: [...added, ...more] };
      const split = splitOf(grown);
      for (const { id, content } of more) checkTokenized(content, id, split);
      return tokenizer(grown, split, new Map([...groups, ...groupsOf(tokens, size)]));
    },
  };
}

/** The library's tokenizer, created by the first call, since a vocabulary of 49,408 tokens takes time to load. */
function splitOf({ pipeline, added }: TokenizerDefinition): Split {
  let library: Library | undefined;
  return (prompt) => {
    library ??= new Library({ ...pipeline, added_tokens: added, post_processor: null, decoder: null }, {});
    return library.encode(prompt, { add_special_tokens: false }).ids;
  };
}

/** Words of a text, in lower case and without those inside of added tokens, that are not in `words`. */
function unknownWords(text: string, words: ReadonlySet<string>, added: readonly AddedToken[]): readonly string[] {
  const rest = added.reduce((left, { content }) => left.replaceAll(content.toLowerCase(), " "), text.toLowerCase());
  return [...new Set(rest.normalize("NFC").match(/\p{L}+/gu))].filter((word) => !words.has(word));
}

/** First id of each token → the ids of all its embeddings. */
function groupsOf(tokens: readonly MultiVectorToken[], first: number): [number, number[]][] {
  let next = first;
  return tokens.map(({ vectors }) => {
    const ids = Array.from({ length: vectors }, (_, i) => next + i);
    next += vectors;
    return [next - vectors, ids];
  });
}

/** @throws RequestError when a token is in the vocabulary, or occurs twice */
function checkUnused(names: readonly string[], vocabulary: readonly string[]): void {
  const known = new Set(vocabulary);
  for (const name of names) {
    if (known.has(name)) {
      throw new RequestError(
        `the token ${JSON.stringify(name)} is already in the tokenizer's vocabulary; choose another name`,
      );
    }
    known.add(name);
  }
}

/** @throws RequestError when a token contains a special token, or differs from another one in case only, so that it is never matched */
function checkTokenized(token: string, id: number, split: Split): void {
  const [first, ...others] = split(token);
  if (first === id && others.length === 0) return;
  throw new RequestError(
    `the token ${JSON.stringify(token)} would not be matched in prompts, because other tokens match first; choose another name`,
  );
}
