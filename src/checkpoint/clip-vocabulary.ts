/** CLIP's own vocabulary as its release writes it: merges in a text, from which the words follow. */
import type { TokenizerFiles } from "./component.js";

/** What CLIP's text encoders pad with: "<|endoftext|>" is CLIP's own, "!" OpenCLIP's. */
export type ClipPadding = "<|endoftext|>" | "!";

/** Words of the vocabulary, of which 256 bytes, each also as the end of a word, and two special tokens are no merges. */
const WORDS = 49_408;

/** The vocabulary and merges of a tokenizer. */
export interface ClipVocabulary {
  readonly vocab: Readonly<Record<string, number>>;
  readonly merges: string;
}

/** The tokenizer of every CLIP text encoder. `file` names the vocabulary in messages. */
export function clipTokenizerFiles(vocabulary: ClipVocabulary, file: string, padding: ClipPadding): TokenizerFiles {
  const [start, end] = ["<|startoftext|>", "<|endoftext|>"];
  const config = { model_max_length: 77, bos_token: start, eos_token: end, unk_token: end, pad_token: padding };
  const none = { tokenizer: undefined, specialTokens: undefined, addedTokens: undefined };
  return { ...none, ...vocabulary, folder: file, config };
}

/**
 * The vocabulary in the text of bpe_simple_vocab_16e6.txt, which has merges, the most frequent first; it counts bytes, bytes that end a
 * word, merges, special tokens.
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

/** A letter for each byte: those that print stand for themselves, the others take letters from 256 on. */
function byteLetters(): string[] {
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const printed = [...range(33, 126), ...range(161, 172), ...range(174, 255)];
  const others = range(0, 255).filter((b) => !printed.includes(b));
  return [...printed, ...others.map((_, i) => 256 + i)].map((code) => String.fromCharCode(code));
}
