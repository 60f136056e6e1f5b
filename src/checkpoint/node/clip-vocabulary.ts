/** CLIP's vocabulary, which ships with the package (MIT): single-file checkpoints have no tokenizer. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { type ClipPadding, type ClipVocabulary, clipTokenizerFiles, parseClipVocabulary } from "../clip-vocabulary.js";
import type { TokenizerFiles } from "../component.js";

const FILE = new URL("../../../assets/clip/bpe_simple_vocab_16e6.txt.gz", import.meta.url);

let read: Promise<ClipVocabulary> | undefined;

/** Tokenizer shared by all CLIP text encoders. */
export async function clipTokenizer(padding: ClipPadding): Promise<TokenizerFiles> {
  read ??= readVocabulary();
  return clipTokenizerFiles(await read, fileURLToPath(FILE), padding);
}

const readVocabulary = async () =>
  parseClipVocabulary((await promisify(gunzip)(await readFile(FILE))).toString("utf8"));
