/** CLIP's vocabulary in the format of its release: a text of merges, from which the tokens are derived. */
import type { TokenizerFiles } from "./component.js";

/** Padding token of a CLIP text encoder: "<|endoftext|>" for OpenAI's, "!" for OpenCLIP's. */
export type ClipPadding = "<|endoftext|>" | "!";

/** Tokens in the vocabulary: 256 bytes, 256 bytes at the end of a word, the merges, and two special tokens. */
const WORDS = 49_408;

/** The vocabulary and merges of a tokenizer. */
export interface ClipVocabulary {
  readonly vocab: Readonly<Record<string, number>>;
  readonly merges: string;
}

/** Tokenizer shared by all CLIP text encoders. `file` names the vocabulary in messages. */
export function clipTokenizerFiles(vocabulary: ClipVocabulary, file: string, padding: ClipPadding): TokenizerFiles {
  const [start, end] = ["<|startoftext|>", "<|endoftext|>"];
  const config = { model_max_length: 77, bos_token: start, eos_token: end, unk_token: end, pad_token: padding };
  const none = { tokenizer: undefined, specialTokens: undefined, addedTokens: undefined };
  return { ...none, ...vocabulary, folder: file, config };
}

/**
 * Parses bpe_simple_vocab_16e6.txt, which lists the merges by frequency. Token ids count bytes, bytes at the end of a word, merges,
 * special tokens.
 */
export function parseClipVocabulary(text: string): ClipVocabulary {
  const merges = text.split("\n").slice(1, 1 + WORDS - 2 * 256 - 2);
  const bytes = byteLetters();
  const words = [
    ...bytes,
    ...bytes.map((b) => `${b}</w>`),
    ...merges.map((m) => m.replace(" ", "")),
    "<|startoftext|>",
    "<|endoftext|>",
  ];
  return { vocab: Object.fromEntries(words.map((word, i) => [word, i])), merges: merges.join("\n") };
}

/** Character of each byte: printable bytes map to themselves, the others to code points from 256 on. */
function byteLetters(): string[] {
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const printed = [...range(33, 126), ...range(161, 172), ...range(174, 255)];
  const others = range(0, 255).filter((b) => !printed.includes(b));
  return [...printed, ...others.map((_, i) => 256 + i)].map((code) => String.fromCharCode(code));
}
