/** Gemma's tokenizer (BPE with bytes for what its vocabulary lacks) from tokenizer.json, with the behaviour of transformers' GemmaTokenizer. */
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { z } from "zod";
import type { TokenizerFiles } from "../checkpoint/index.js";
import { FileError } from "../errors.js";

/** Tokenizer of Gemma. */
export interface GemmaTokenizer {
  /** Tokens of a text after the token that begins a text. */
  encode(text: string): readonly number[];
}

const START = "<bos>";

const tokenizerSchema = z.object({
  model: z.looseObject({
    type: z.literal("BPE"),
    // Custom checks: zod's record and array take seconds for Gemma's 256,000 tokens.
    vocab: z.custom<Readonly<Record<string, number>>>(
      (json) => typeof json === "object" && json !== null && !Array.isArray(json),
      "expected an object of tokens and ids",
    ),
    merges: z.custom<readonly unknown[]>((json) => Array.isArray(json), "expected a list of merges"),
  }),
  normalizer: z.record(z.string(), z.unknown()).nullish(),
  pre_tokenizer: z.record(z.string(), z.unknown()).nullish(),
  added_tokens: z.array(z.looseObject({ id: z.int(), content: z.string() })).default([]),
});

/** Creates a tokenizer from the files of a folder. @throws FileError when tokenizer.json is missing or invalid */
export function createGemmaTokenizer({ folder, tokenizer }: TokenizerFiles): GemmaTokenizer {
  if (tokenizer === undefined)
    throw new FileError(folder, "tokenizer.json is missing; Gemma's tokenizer is read from it");
  const result = tokenizerSchema.safeParse(tokenizer);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new FileError(folder, `tokenizer.json is invalid for Gemma at ${issue?.path.join(".")}: ${issue?.message}`);
  }
  const { model, normalizer = null, pre_tokenizer = null, added_tokens: added } = result.data;
  const start = added.find(({ content }) => content === START)?.id ?? model.vocab[START];
  if (start === undefined) throw new FileError(folder, `the vocabulary has no token ${START}`);
  const pipeline = { model, normalizer, pre_tokenizer, added_tokens: added, post_processor: null, decoder: null };
  // Created by the first call, since a vocabulary of 256,000 tokens takes time to load.
  let library: Library | undefined;
  return {
    encode(text) {
      library ??= new Library(pipeline, {});
      return [start, ...library.encode(text, { add_special_tokens: false }).ids];
    },
  };
}
