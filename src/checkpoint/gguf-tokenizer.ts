/** The tokenizer that llama.cpp keeps in a GGUF file beside the weights: Qwen's (byte-level BPE), T5's (unigram) and Gemma's (BPE with scores), as the files of a folder. */
import { FileError } from "../errors.js";
import type { ByteSource } from "../tensor/index.js";
import type { TokenizerFiles } from "./component.js";
import { openHead } from "./gguf-head.js";

const PREFIX = "tokenizer.ggml.";
/** Lists that make up a tokenizer, by the end of their key. */
const LISTS = ["tokens", "token_type", "merges", "scores", "precompiled_charsmap"] as const;
/** Kinds of tokens, as llama.cpp numbers them. */
const KIND = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5 } as const;

type Lists = Partial<Record<(typeof LISTS)[number], readonly string[] | Float64Array>>;

/**
 * Reads the tokenizer of a file; null for a file without one, for one that is no GGUF file, and for a kind that no supported text encoder has.
 * @throws FileError for lists that are incomplete
 */
export async function readGgufTokenizer(source: ByteSource): Promise<TokenizerFiles | null> {
  const magic = source.size < 4 ? "" : new TextDecoder().decode(await source.read(0, 4));
  if (magic !== "GGUF") return null;
  const { head, words } = await openHead(source);
  const lists: Lists = {};
  let model: unknown;
  for (let i = 0; i < words; i++) {
    const key = await head.word();
    const type = await head.whole(4);
    const name = LISTS.find((list) => key === `${PREFIX}${list}`);
    if (name) lists[name] = await head.list(type);
    else {
      const value = await head.value(type);
      if (key === `${PREFIX}model`) model = value;
    }
  }
  const made = typeof model === "string" && Object.hasOwn(MODELS, model) ? MODELS[model]?.(source.name, lists) : null;
  return made ? { ...NONE, ...made, folder: source.name } : null;
}

const NONE = {
  tokenizer: undefined,
  vocab: undefined,
  merges: undefined,
  config: undefined,
  specialTokens: undefined,
  addedTokens: undefined,
};

const MODELS: Readonly<Record<string, (file: string, lists: Lists) => Partial<TokenizerFiles>>> = {
  gpt2: byteLevel,
  llama: scored,
  t5: unigram,
};

/** Vocabulary and merges. The padding token of a file is left out: some have another than the model was trained with. */
function byteLevel(file: string, lists: Lists): Partial<TokenizerFiles> {
  const tokens = tokensOf(file, lists);
  const merges = wordsOf(file, lists, "merges");
  const isAdded = ({ kind }: Token) => kind === KIND.control || kind === KIND.userDefined;
  const plain = tokens.filter((token) => !isAdded(token) && token.kind !== KIND.unused);
  return {
    vocab: Object.fromEntries(plain.map(({ content, id }) => [content, id])),
    merges: merges.join("\n"),
    config: {
      added_tokens_decoder: Object.fromEntries(
        tokens.filter(isAdded).map(({ content, id, kind }) => [id, { content, special: kind === KIND.control }]),
      ),
    },
  };
}

/** Content of a tokenizer.json. */
function unigram(file: string, lists: Lists): Partial<TokenizerFiles> {
  const tokens = tokensOf(file, lists);
  const scores = numbersOf(file, lists, "scores", tokens.length);
  const table = lists.precompiled_charsmap;
  const isSpecial = ({ kind }: Token) => kind === KIND.control || kind === KIND.unknown;
  return {
    tokenizer: {
      model: {
        type: "Unigram",
        unk_id: tokens.find(({ kind }) => kind === KIND.unknown)?.id ?? 0,
        vocab: tokens.map(({ content, id }) => [content, scores[id] ?? 0]),
      },
      ...(table !== undefined && table.length > 0 && { normalizer: { type: "Precompiled" } }),
      added_tokens: tokens
        .filter(isSpecial)
        .map(({ content, id }) => ({ id, content, special: true, normalized: false })),
    },
  };
}

/**
 * Content of a tokenizer.json, with the pipeline of Gemma's. SentencePiece joins the two neighbours whose union is the token with the highest
 * score (Kudo & Richardson 2018), so the merges are all pairs of tokens that make up another, in the order of its score. Tokens that its
 * author named, such as runs of spaces, come before all others, the longest first.
 */
function scored(file: string, lists: Lists): Partial<TokenizerFiles> {
  const tokens = tokensOf(file, lists);
  const scores = numbersOf(file, lists, "scores", tokens.length);
  const ids = new Map(tokens.map(({ content, id }) => [content, id]));
  const named = tokens.filter(({ kind }) => kind === KIND.userDefined);
  const normal = tokens.filter(({ kind }) => kind === KIND.normal);
  const merges = [
    ...named.sort((a, b) => b.content.length - a.content.length),
    ...normal.sort((a, b) => (scores[b.id] ?? 0) - (scores[a.id] ?? 0)),
  ].flatMap(({ content }) => {
    const pairs: [string, string][] = [];
    // Between two units of UTF-16 that are one character there is no token.
    for (let i = 1; i < content.length; i++) {
      const pair: [string, string] = [content.slice(0, i), content.slice(i)];
      if (pair.every((part) => ids.has(part))) pairs.push(pair);
    }
    return pairs;
  });
  const added = [KIND.unknown, KIND.control, KIND.userDefined] as const;
  return {
    tokenizer: {
      model: {
        type: "BPE",
        vocab: Object.fromEntries(ids),
        merges,
        unk_token: tokens.find(({ kind }) => kind === KIND.unknown)?.content ?? null,
        fuse_unk: true,
        byte_fallback: true,
      },
      normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" },
      pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false },
      added_tokens: tokens
        .filter(({ kind }) => added.some((one) => one === kind))
        .map(({ content, id, kind }) => ({ id, content, special: kind !== KIND.userDefined, normalized: false })),
    },
  };
}

interface Token {
  readonly id: number;
  readonly content: string;
  readonly kind: number;
}

function tokensOf(file: string, lists: Lists): Token[] {
  const tokens = wordsOf(file, lists, "tokens");
  const kinds = numbersOf(file, lists, "token_type", tokens.length);
  return tokens.map((content, id) => ({ id, content, kind: kinds[id] ?? KIND.normal }));
}

/** A list with a number for each token. */
function numbersOf(file: string, lists: Lists, name: (typeof LISTS)[number], count: number): Float64Array {
  const found = lists[name];
  if (found instanceof Float64Array && found.length === count) return found;
  throw new FileError(
    file,
    `${PREFIX}${name} has ${found?.length ?? "no"} numbers; one for each of ${count} tokens was expected`,
  );
}

function wordsOf(file: string, lists: Lists, name: (typeof LISTS)[number]): readonly string[] {
  const found = lists[name];
  if (found === undefined || found instanceof Float64Array)
    throw new FileError(file, `has no list of words ${PREFIX}${name}`);
  return found;
}
