/** CLIP's tokenizer as diffusers uses it: prompts to a fixed number of ids, cut and padded, special tokens where the files say so. */
import { Tokenizer as Bpe } from "@huggingface/tokenizers";
import { z } from "zod";
import type { TokenizerFiles } from "../checkpoint/index.js";
import { FileError } from "../errors.js";

export interface Tokens {
  /** `maxLength` ids: start, words, end, padding. */
  readonly ids: number[];
  /** Tokens that did not fit. */
  readonly truncated: number;
  /** Places where vector `vector` of the new word `word` stands instead of an id. */
  readonly learned: readonly { readonly place: number; readonly word: number; readonly vector: number }[];
}

/** A word that is not in the vocabulary, and how many vectors stand for it. */
export interface NewWord {
  readonly token: string;
  readonly vectors: number;
}

export interface Tokenizer {
  readonly maxLength: number;
  encode(prompt: string, words?: readonly NewWord[]): Tokens;
}

const token = z.union([z.string(), z.object({ content: z.string() }).transform((t) => t.content)]);
const settingsSchema = z.object({
  model_max_length: z.number().optional(),
  pad_token: token.nullish(),
  bos_token: token.nullish(),
  eos_token: token.nullish(),
  unk_token: token.nullish(),
});
const vocabSchema = z.record(z.string(), z.int());
const addedSchema = z.array(z.looseObject({ id: z.int(), content: z.string(), special: z.boolean().default(false) }));
const fileSchema = z.looseObject({
  model: z.looseObject({ vocab: vocabSchema }),
  added_tokens: addedSchema.default([]),
});

/** What transformers takes for a CLIP tokenizer that says nothing else. */
const CLIP = { start: "<|startoftext|>", end: "<|endoftext|>", length: 77 };

/**
 * Makes a tokenizer of a folder's files.
 * @param positions what the text encoder can hold; files that name no length, or an endless one, are cut to it
 * @throws FileError when the files do not fit together
 */
export function createTokenizer(source: TokenizerFiles, positions = CLIP.length): Tokenizer {
  const settings = { ...settingsOf(source, source.specialTokens), ...settingsOf(source, source.config) };
  const start = settings.bos_token ?? CLIP.start;
  const end = settings.eos_token ?? CLIP.end;
  const padding = settings.pad_token ?? end;
  const file = tokenizerFile(source);
  const vocab = file.model.vocab;
  const idOf = (word: string): number => {
    const id = file.added_tokens.find((t) => t.content === word)?.id ?? vocab[word];
    if (id === undefined) throw new FileError(source.folder, `its vocabulary has no ${JSON.stringify(word)}`);
    return id;
  };
  const [first, last, pad] = [idOf(start), idOf(end), idOf(padding)];
  // Special tokens are taken out of a prompt before anything else: with "!" as padding, every "!" becomes its id.
  const specials = [...new Set([start, end, padding, settings.unk_token ?? end])];
  const bpe = new Bpe({ ...file, added_tokens: [], post_processor: null }, {});
  const maxLength = Math.min(settings.model_max_length ?? CLIP.length, positions);

  return {
    maxLength,
    encode(prompt, words = []) {
      const found = splitAt(
        prompt,
        specials,
        words.map((w) => w.token),
      ).flatMap((part): { id: number; word?: number; vector?: number }[] => {
        if (part.kind === "special") return [{ id: idOf(part.text) }];
        if (part.kind === "text") {
          return bpe.encode(lowerCase(part.text), { add_special_tokens: false }).ids.map((id: number) => ({ id }));
        }
        const word = words.findIndex((w) => sameWord(w.token, part.text));
        return Array.from({ length: words[word]?.vectors ?? 0 }, (_, vector) => ({ id: 0, word, vector }));
      });
      const kept = found.slice(0, maxLength - 2);
      const ids = [first, ...kept.map((k) => k.id), last];
      return {
        ids: [...ids, ...new Array<number>(maxLength - ids.length).fill(pad)],
        truncated: found.length - kept.length,
        learned: kept.flatMap(({ word, vector }, i) =>
          word === undefined || vector === undefined ? [] : [{ place: i + 1, word, vector }],
        ),
      };
    },
  };
}

function settingsOf({ folder }: TokenizerFiles, json: unknown) {
  const parsed = settingsSchema.safeParse(json ?? {});
  if (!parsed.success)
    throw new FileError(folder, `its tokenizer_config.json cannot be read: ${parsed.error.issues[0]?.message}`);
  return Object.fromEntries(Object.entries(parsed.data).filter(([, v]) => v != null)) as z.output<
    typeof settingsSchema
  >;
}

function tokenizerFile(source: TokenizerFiles): z.output<typeof fileSchema> {
  const parsed = fileSchema.safeParse(source.tokenizer ?? synthesise(source));
  if (parsed.success) return parsed.data;
  throw new FileError(source.folder, "its tokenizer has no vocabulary of words and ids");
}

/** Vocabulary and merges as the tokenizer.json that transformers would make of them. */
function synthesise({ folder, vocab: json, merges = "" }: TokenizerFiles): unknown {
  const vocab = vocabSchema.safeParse(json);
  if (!vocab.success) throw new FileError(folder, "vocab.json is not a table of words and ids");
  const pairs = merges
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#version"))
    .map((line) => line.split(" "));
  return {
    version: "1.0",
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFC" },
        { type: "Replace", pattern: { Regex: "\\s+" }, content: " " },
        { type: "Lowercase" },
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        {
          type: "Split",
          pattern: { Regex: "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+" },
          behavior: "Removed",
          invert: true,
        },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      unk_token: CLIP.end,
      continuing_subword_prefix: "",
      end_of_word_suffix: "</w>",
      fuse_unk: false,
      byte_fallback: false,
      vocab: vocab.data,
      merges: pairs,
    },
  };
}

/** Lower case letter by letter, as the original does: JavaScript alone would write Σ at the end of a word as ς. */
const lowerCase = (text: string): string =>
  Array.from(text.normalize("NFC"), (letter) => letter.toLowerCase()).join("");

interface Part {
  readonly text: string;
  readonly kind: "text" | "special" | "word";
}

/** New words are found in whatever case they are written, as transformers finds added tokens. */
const sameWord = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** Cuts a prompt at special tokens and new words. */
function splitAt(prompt: string, specials: readonly string[], words: readonly string[]): Part[] {
  const escaped = (list: readonly string[]) => list.map((s) => s.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const bySpecial = prompt.split(new RegExp(`(${escaped(specials)})`));
  return bySpecial
    .flatMap((text, i): Part[] => {
      if (i % 2 === 1) return [{ text, kind: "special" }];
      if (words.length === 0) return [{ text, kind: "text" }];
      return text
        .split(new RegExp(`(${escaped(words)})`, "i"))
        .map((t, j) => ({ text: t, kind: j % 2 === 1 ? ("word" as const) : ("text" as const) }));
    })
    .filter((part) => part.kind !== "text" || part.text.trim() !== "");
}
