import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openTokenizer } from "../../src/checkpoint/node/index.js";
import { createGemmaTokenizer } from "../../src/text/gemma-tokenizer.js";
import { createQwenTokenizer } from "../../src/text/qwen-tokenizer.js";
import { createT5Tokenizer } from "../../src/text/t5-tokenizer.js";
import { readTokenizer } from "../../src/text/tokenizer-files.js";
import { temporaryFolder } from "../support/folder.js";
import { type GgufFacts, ggufFile } from "../support/gguf.js";
import { description, GOLDENS } from "../support/parity.js";

const schema = z.object({ folder: z.string(), cases: z.array(z.looseObject({ ids: z.array(z.number()) })) });
const piecesSchema = z.object({
  ...{ tokens: z.array(z.string()), scores: z.array(z.number()), kinds: z.array(z.int()) },
  cases: z.array(z.object({ text: z.string(), ids: z.array(z.number()) })),
});
const unigramSchema = z.object({
  model: z.object({ unk_id: z.int(), vocab: z.array(z.tuple([z.string(), z.number()])) }),
  added_tokens: z.array(z.object({ id: z.int() })),
});

const SPECIAL = { bos_token: null, eos_token: null, unk_token: null, pad_token: null };

/** A file of llama.cpp with these values about the tokenizer. */
function written(metadata: NonNullable<GgufFacts["metadata"]>): string {
  const file = path.join(temporaryFolder(), "encoder.gguf");
  const own = Object.entries(metadata).map(([key, value]) => [`tokenizer.ggml.${key}`, value] as const);
  writeFileSync(file, ggufFile({ metadata: { "general.name": "encoder", ...Object.fromEntries(own) }, tensors: [] }));
  return file;
}

/** Qwen's tokenizer of the goldens as llama.cpp writes it: all tokens in one list, with their kinds. */
async function byteLevel(folder: string) {
  const { vocabulary, merges, added } = readTokenizer(await openTokenizer(folder), SPECIAL);
  const last = Math.max(...Object.values(vocabulary), ...added.map(({ id }) => id));
  const tokens = Array.from({ length: last + 1 }, (_, i) => `[PAD${i}]`);
  const kinds = tokens.map(() => 5);
  for (const [token, id] of Object.entries(vocabulary)) [tokens[id], kinds[id]] = [token, 1];
  for (const { content, id, special } of added) [tokens[id], kinds[id]] = [content, special ? 3 : 4];
  return {
    model: "gpt2",
    pre: "qwen2",
    tokens,
    token_type: kinds,
    merges: merges.map((pair) => (Array.isArray(pair) ? pair.join(" ") : String(pair))),
  };
}

describe("the tokenizer in a GGUF file", () => {
  it("splits as Qwen's does whose vocabulary it has", async () => {
    const { folder, cases } = description("qwen-tokenizer", schema);
    const tokenizer = createQwenTokenizer(await openTokenizer(written(await byteLevel(path.join(GOLDENS, folder)))));
    expect(cases.length).toBeGreaterThan(5);
    for (const { text, ids } of cases) expect(tokenizer.encode(String(text))).toEqual(ids);
  });

  it("pads as the model was trained, whatever the file says", async () => {
    const { folder } = description("qwen-tokenizer", schema);
    const facts = await byteLevel(path.join(GOLDENS, folder));
    const own = createQwenTokenizer(await openTokenizer(path.join(GOLDENS, folder)));
    expect(createQwenTokenizer(await openTokenizer(written(facts))).padding).toBe(own.padding);
  });

  it("splits as T5's does whose vocabulary it has", async () => {
    const { folder, cases } = description("t5-tokenizer", schema);
    const { tokenizer: json } = await openTokenizer(path.join(GOLDENS, folder));
    const { model, added_tokens: added } = unigramSchema.parse(json);
    const special = new Set(added.map(({ id }) => id));
    const facts = {
      model: "t5",
      tokens: model.vocab.map(([token]) => token),
      scores: Float32Array.from(model.vocab, ([, score]) => score),
      token_type: model.vocab.map((_, id) => (id === model.unk_id ? 2 : special.has(id) ? 3 : 1)),
    };
    const tokenizer = createT5Tokenizer(await openTokenizer(written(facts)));
    for (const { prompt, length, ids } of cases) {
      expect(tokenizer.encode(String(prompt), Number(length)).ids).toEqual(ids);
    }
    const normalising = createT5Tokenizer(await openTokenizer(written({ ...facts, precompiled_charsmap: [1] })));
    expect(normalising.encode("ｈａｔ", 8).ids).toEqual(tokenizer.encode("hat", 8).ids);
    expect(tokenizer.encode("ｈａｔ", 8).ids).not.toEqual(tokenizer.encode("hat", 8).ids);
  });

  it("splits as the library sentencepiece does with a model like Gemma's", async () => {
    const { tokens, scores, kinds, cases } = description("gemma-pieces", piecesSchema);
    const facts = { model: "llama", tokens, scores: Float32Array.from(scores), token_type: kinds };
    const tokenizer = createGemmaTokenizer(await openTokenizer(written(facts)));
    expect(cases.length).toBeGreaterThan(5);
    for (const { text, ids } of cases) expect(tokenizer.encode(text)).toEqual(ids);
  });

  it("says what a file lacks", async () => {
    await expect(openTokenizer(written({ model: "gemma4" }))).rejects.toThrow("encoder.gguf: holds no tokenizer");
    await expect(
      openTokenizer(written({ model: "gpt2", tokens: ["a"], token_type: [1, 1], merges: ["a b"] })),
    ).rejects.toThrow("tokenizer.ggml.token_type has 2 numbers; one for each of 1 tokens was expected");
    await expect(openTokenizer(written({ model: "gpt2", tokens: ["a"], token_type: [1] }))).rejects.toThrow(
      "has no list of words tokenizer.ggml.merges",
    );
    await expect(openTokenizer(written({ model: "t5", tokens: ["a"], token_type: [1] }))).rejects.toThrow(
      "tokenizer.ggml.scores has no numbers; one for each of 1 tokens was expected",
    );
    await expect(openTokenizer(written({ model: "gpt2", tokens: "words" }))).rejects.toThrow("a list was expected");
  });
});
