/**
 * T5's tokenizer (SentencePiece, unigram: Kudo 2018) from tokenizer.json, or from spiece.model in folders without one, with the behaviour of
 * transformers' T5Tokenizer.
 */
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { z } from "zod";
import type { TokenizerFiles } from "../checkpoint/index.js";
import { FileError } from "../errors.js";
import { readSentencePiece } from "./sentence-piece.js";
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

/** Tokens that T5 has beside those of its SentencePiece model, where the config states no number: <extra_id_99> … <extra_id_0>. */
const EXTRA = 100;
const configSchema = z.looseObject({ extra_ids: z.int().min(0).default(EXTRA) });

/** Content of a tokenizer.json for a SentencePiece model, as transformers converts it. */
function converted(source: TokenizerFiles, bytes: Uint8Array): unknown {
  const { pieces, unknown, normalises } = readSentencePiece(`${source.folder}/spiece.model`, bytes);
  const extra = configSchema.safeParse(source.config).data?.extra_ids ?? EXTRA;
  const added = Array.from({ length: extra }, (_, i) => `<extra_id_${extra - 1 - i}>`);
  const vocab = [...pieces, ...added.map((token) => [token, 0] as const)];
  const special = [PADDING, END, pieces[unknown]?.[0] ?? "<unk>", ...added];
  return {
    model: { type: "Unigram", unk_id: unknown, vocab },
    ...(normalises && { normalizer: { type: "Precompiled" } }),
    added_tokens: vocab.flatMap(([content], id) =>
      special.includes(content) ? [{ id, content, special: true, normalized: false }] : [],
    ),
  };
}

/** Creates a tokenizer from the files of a folder. @throws FileError when its files are missing or invalid */
export function createT5Tokenizer(source: TokenizerFiles): T5Tokenizer {
  const { sentencePiece } = source;
  const result = tokenizerSchema.safeParse(
    source.tokenizer ?? (sentencePiece ? converted(source, sentencePiece) : undefined),
  );
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new FileError(
      source.folder,
      source.tokenizer === undefined
        ? "tokenizer.json and spiece.model are missing; T5's tokenizer is read from one of them"
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
