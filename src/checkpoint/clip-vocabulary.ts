/** CLIP's own vocabulary, which ships with the package (MIT), for checkpoints in one file: they hold no tokenizer. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { TokenizerFiles } from "./component.js";

const FILE = new URL("../../assets/clip/bpe_simple_vocab_16e6.txt.gz", import.meta.url);
/** Words of the vocabulary, of which 256 bytes, each also as the end of a word, and two special tokens are no merges. */
const WORDS = 49_408;

let read: Promise<{ vocab: Record<string, number>; merges: string }> | undefined;

/** The tokenizer of every CLIP text encoder, with its padding: "<|endoftext|>" for CLIP's own, "!" for OpenCLIP's. */
export async function clipTokenizer(padding: "<|endoftext|>" | "!"): Promise<TokenizerFiles> {
  read ??= vocabulary();
  const { vocab, merges } = await read;
  const [start, end] = ["<|startoftext|>", "<|endoftext|>"];
  const config = { model_max_length: 77, bos_token: start, eos_token: end, unk_token: end, pad_token: padding };
  const none = { tokenizer: undefined, specialTokens: undefined, addedTokens: undefined };
  return { ...none, folder: fileURLToPath(FILE), vocab, merges, config };
}

/** The file holds merges, the most frequent first; the vocabulary counts bytes, bytes that end a word, merges, special tokens. */
async function vocabulary() {
  const lines = (await promisify(gunzip)(await readFile(FILE))).toString("utf8").split("\n");
  const merges = lines.slice(1, 1 + WORDS - 2 * 256 - 2);
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
