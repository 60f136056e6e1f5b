/** CLIP's tokenizer (byte-level BPE) from the files of a checkpoint, with the behaviour of transformers' CLIPTokenizer. */
import type { TokenizerFiles } from "../checkpoint/index.js";
import { type AddedToken, type Tokenizer, type TokenizerDefinition, tokenizerOf } from "./tokenizer.js";
import { readTokenizer } from "./tokenizer-files.js";

/** Defaults of CLIPTokenizer. */
const START = "<|startoftext|>";
const END = "<|endoftext|>";
const LENGTH = 77;
const DEFAULTS = { bos_token: START, eos_token: END, unk_token: END, pad_token: END };

/**
 * Creates a tokenizer from the files of a folder.
 * @param positions longest input of the text encoder, which limits `model_max_length`; default 77
 * @throws FileError when a file is invalid, or a token is missing from the vocabulary
 */
export function createTokenizer(source: TokenizerFiles, positions = LENGTH): Tokenizer {
  const { vocabulary, merges, added, maxLength, contentOf, idOf } = readTokenizer(source, DEFAULTS);
  return tokenizerOf({
    pipeline: clipPipeline(vocabulary, merges, added, contentOf("unk_token") ?? END),
    vocabulary,
    added,
    words: closedVocabulary(vocabulary),
    start: idOf("bos_token"),
    end: idOf("eos_token"),
    padding: idOf("pad_token"),
    maxLength: Math.min(maxLength ?? LENGTH, positions),
  });
}

const WORD_END = "</w>";
/**
 * Whole words that a vocabulary made from text has at least. CLIP's has 36,000; the embedded pair's, made from the list of words of its
 * prompts, about 100.
 */
const OPEN_VOCABULARY = 3000;

/** Whole words of a vocabulary with too few to have been made from text; undefined for others. */
function closedVocabulary(vocabulary: Readonly<Record<string, number>>): ReadonlySet<string> | undefined {
  const words = Object.keys(vocabulary).filter((token) => token.endsWith(WORD_END));
  return words.length < OPEN_VOCABULARY ? new Set(words.map((word) => word.slice(0, -WORD_END.length))) : undefined;
}

/**
 * CLIP's pre-tokens: contractions, runs of letters, single digits, runs of other characters. Written without \s, which the original's
 * expressions and JavaScript's read differently.
 */
const PIECES = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\p{White_Space}\\p{L}\\p{N}]+";

const splitting = (regex: string) => ({ type: "Split", pattern: { Regex: regex }, behavior: "Removed", invert: true });

/** Pipeline of CLIPTokenizer. As in transformers, only vocabulary and merges come from the files. */
function clipPipeline(
  vocab: Readonly<Record<string, number>>,
  merges: readonly unknown[],
  added: readonly AddedToken[],
  unknown: string,
): TokenizerDefinition["pipeline"] {
  const raw = added.filter(({ content, normalized }) => !normalized && content.startsWith("<|"));
  return {
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFC" },
        { type: "Replace", pattern: { Regex: "\\p{White_Space}+" }, content: " " },
        // JavaScript lower-cases a final Σ to ς; the original lower-cases every character on its own.
        { type: "Replace", pattern: { String: "Σ" }, content: "σ" },
        { type: "Lowercase" },
        // The library would match "<|ENDOFTEXT|>" as the special token after lower-casing it. A space prevents this, at a position where
        // the text is split anyway.
        ...raw.map(({ content }) => ({
          type: "Replace",
          pattern: { String: content },
          content: content.replace("<|", "<| "),
        })),
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        splitting(`<\\| ?startoftext\\|>|<\\| ?endoftext\\|>|${PIECES}`),
        splitting(PIECES),
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    model: {
      type: "BPE",
      unk_token: unknown,
      continuing_subword_prefix: "",
      end_of_word_suffix: "</w>",
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges,
    },
  };
}
