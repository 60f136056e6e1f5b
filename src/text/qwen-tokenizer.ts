/** Qwen's tokenizer (byte-level BPE) from the files of a checkpoint, with the behaviour of transformers' Qwen2Tokenizer. */
import { Tokenizer as Library } from "@huggingface/tokenizers";
import type { TokenizerFiles } from "../checkpoint/index.js";
import { readTokenizer } from "./tokenizer-files.js";

/** Tokenizer of a language model: no start and end tokens. */
export interface ChatTokenizer {
  /** Tokens of a text; special tokens that are written out in it are one token each. */
  encode(text: string): readonly number[];
  /** Id of the padding token. */
  readonly padding: number;
}

const END = "<|endoftext|>";
const DEFAULTS = { bos_token: null, eos_token: END, unk_token: END, pad_token: END };

/** Pre-tokens: contractions, words with the character before them, single digits, runs of other characters with a space before, line breaks, space. */
const PIECES = [
  "'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])",
  "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+",
  "\\p{N}",
  " ?[^\\p{White_Space}\\p{L}\\p{N}]+[\\r\\n]*",
  "\\p{White_Space}*[\\r\\n]+",
  "\\p{White_Space}+(?!\\P{White_Space})",
  "\\p{White_Space}+",
].join("|");

/** Creates a tokenizer from the files of a folder. @throws FileError when a file is invalid, or a token is missing from the vocabulary */
export function createQwenTokenizer(source: TokenizerFiles): ChatTokenizer {
  const { vocabulary, merges, added, idOf } = readTokenizer(source, DEFAULTS);
  const pipeline = {
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: PIECES }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    model: {
      type: "BPE",
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      vocab: vocabulary,
      merges,
    },
    added_tokens: added,
    post_processor: null,
    decoder: null,
  };
  // Created by the first call, since a vocabulary of 151,643 tokens takes time to load.
  let library: Library | undefined;
  return {
    padding: idOf("pad_token"),
    encode(text) {
      library ??= new Library(pipeline, {});
      return library.encode(text, { add_special_tokens: false }).ids;
    },
  };
}
