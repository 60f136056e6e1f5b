/** A tokenizer as text encoders need it: prompts to a fixed number of token ids, with tokens added for textual inversion. */
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { RequestError } from "../errors.js";

export interface Tokens {
  /** `maxLength` ids: start, prompt, end, padding. */
  readonly ids: readonly number[];
  /** Number of tokens that did not fit. */
  readonly truncated: number;
}

/**
 * A token of `vectors` embeddings. It adds the tokens `token`, `token_1`, … to the vocabulary, one for each embedding; the first of
 * them stands for all in a prompt, as with diffusers' `maybe_convert_prompt`.
 */
export interface MultiVectorToken {
  readonly token: string;
  readonly vectors: number;
}

export interface Tokenizer {
  readonly maxLength: number;
  /** Number of ids; those of tokens added by `withTokens` begin here. */
  readonly size: number;
  encode(prompt: string): Tokens;
  /**
   * The same tokenizer with tokens added; ids follow in order.
   * @throws RequestError when a token is in the vocabulary already, or is tokenized as something else
   */
  withTokens(tokens: readonly MultiVectorToken[]): Tokenizer;
}

/** A token that is found in prompts before the model splits them; as in tokenizer.json. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Found after normalisation, so in any case of letters if the normaliser lowers them. */
  readonly normalized: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly special: boolean;
}

export interface TokenizerDefinition {
  /** The sections of tokenizer.json that split a prompt. */
  readonly pipeline: Readonly<Record<"model" | "normalizer" | "pre_tokenizer", unknown>>;
  readonly vocabulary: Readonly<Record<string, number>>;
  readonly added: readonly AddedToken[];
  /** Ids around a prompt. */
  readonly start: number;
  readonly end: number;
  readonly padding: number;
  readonly maxLength: number;
}

/** A prompt's ids, before anything is put around them. */
type Split = (prompt: string) => readonly number[];

/** A tokenizer from its definition. */
export const tokenizerOf = (definition: TokenizerDefinition): Tokenizer => tokenizer(definition, splitOf(definition));

/** @param groups ids that an id in a prompt stands for */
function tokenizer(
  definition: TokenizerDefinition,
  split: Split,
  groups: ReadonlyMap<number, readonly number[]> = new Map(),
): Tokenizer {
  const { vocabulary, added, start, end, padding, maxLength } = definition;
  const size = [...Object.values(vocabulary), ...added.map((t) => t.id)].reduce((n, id) => Math.max(n, id + 1), 0);
  return {
    maxLength,
    size,
    encode(prompt) {
      const found = split(prompt).flatMap((id) => groups.get(id) ?? [id]);
      const kept = found.slice(0, maxLength - 2);
      const ids = [start, ...kept, end];
      return {
        ids: [...ids, ...new Array<number>(maxLength - ids.length).fill(padding)],
        truncated: found.length - kept.length,
      };
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

/** The library's tokenizer, made when it is first needed: a vocabulary of 49,408 tokens takes a while. */
function splitOf({ pipeline, added }: TokenizerDefinition): Split {
  let library: Library | undefined;
  return (prompt) => {
    library ??= new Library({ ...pipeline, added_tokens: added, post_processor: null, decoder: null }, {});
    return library.encode(prompt, { add_special_tokens: false }).ids;
  };
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

/** @throws RequestError when a token is in the vocabulary, or comes twice */
function checkUnused(names: readonly string[], vocabulary: readonly string[]): void {
  const known = new Set(vocabulary);
  for (const name of names) {
    if (known.has(name)) {
      throw new RequestError(
        `the token ${JSON.stringify(name)} is in the tokenizer's vocabulary already; name another`,
      );
    }
    known.add(name);
  }
}

/** A special token inside a token, or another that differs in case only, keeps it from being found. @throws RequestError */
function checkTokenized(token: string, id: number, split: Split): void {
  const [first, ...others] = split(token);
  if (first === id && others.length === 0) return;
  throw new RequestError(
    `the token ${JSON.stringify(token)} would not be found in prompts: other tokens are found in it first; name another`,
  );
}
