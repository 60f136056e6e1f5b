/** T5's tokenizer (SentencePiece, unigram: Kudo 2018) from tokenizer.json, with the behaviour of transformers' T5Tokenizer. */
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { z } from "zod";
import type { TokenizerFiles } from "../checkpoint/index.js";
import { FileError } from "../errors.js";
import type { Tokens } from "./tokenizer.js";

/** Tokenizer of T5. */
export interface T5Tokenizer {
  /** Tokens of a text with the end token, truncated and padded to `length`; the number of tokens that were dropped. */
  encode(text: string, length: number): Tokens & { readonly used: number };
}

const tokenizerSchema = z.object({
  model: z.object({
    type: z.literal("Unigram"),
    unk_id: z.int(),
    // Custom check: zod's array of tuples takes 0.3 s for T5's 32,100 tokens.
    vocab: z.custom<readonly (readonly [string, number])[]>(
      (json) => Array.isArray(json) && json.every((entry) => Array.isArray(entry) && typeof entry[0] === "string"),
      "expected a list of tokens with scores",
    ),
  }),
  normalizer: z.record(z.string(), z.unknown()).nullish(),
  added_tokens: z.array(z.looseObject({ id: z.int(), content: z.string() })).default([]),
});

const END = "</s>";
const PADDING = "<pad>";
/** Words begin with "▁", the first one too. */
const PRE_TOKENIZER = {
  type: "Sequence",
  pretokenizers: [
    { type: "WhitespaceSplit" },
    { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  ],
};

/** Creates a tokenizer from the files of a folder. @throws FileError when tokenizer.json is missing or invalid */
export function createT5Tokenizer(source: TokenizerFiles): T5Tokenizer {
  const result = tokenizerSchema.safeParse(source.tokenizer);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new FileError(
      source.folder,
      source.tokenizer === undefined
        ? "tokenizer.json is missing; T5's tokenizer is read from it, not from spiece.model"
        : `tokenizer.json is invalid for T5 at ${issue?.path.join(".")}: ${issue?.message}`,
    );
  }
  const { model, normalizer = null, added_tokens: added } = result.data;
  const idOf = (token: string): number => {
    const id = added.find((t) => t.content === token)?.id ?? model.vocab.findIndex(([t]) => t === token);
    if (id < 0) throw new FileError(source.folder, `the vocabulary has no token ${token}`);
    return id;
  };
  const [end, padding] = [idOf(END), idOf(PADDING)];
  const pipeline = {
    model,
    normalizer,
    pre_tokenizer: PRE_TOKENIZER,
    added_tokens: added,
    post_processor: null,
    decoder: null,
  };
  // Created by the first call, since the vocabulary takes time to load.
  let library: Library | undefined;
  return {
    encode(text, length) {
      library ??= new Library(pipeline, { eos_token: END });
      const found = library.encode(text, { add_special_tokens: false }).ids;
      const kept = [...found.slice(0, length - 1), end];
      const ids = [...kept, ...new Array<number>(length - kept.length).fill(padding)];
      return { ids, truncated: Math.max(0, found.length + 1 - length), used: kept.length };
    },
  };
}
