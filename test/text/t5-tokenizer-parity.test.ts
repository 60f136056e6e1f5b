import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openTokenizer } from "../../src/checkpoint/node/index.js";
import { createT5Tokenizer } from "../../src/text/t5-tokenizer.js";
import { description, GOLDENS } from "../support/parity.js";

const schema = z.object({
  folder: z.string(),
  cases: z.array(z.object({ prompt: z.string(), length: z.number(), ids: z.array(z.number()), dropped: z.number() })),
});

describe("T5's tokenizer", async () => {
  const { folder, cases } = description("t5-tokenizer", schema);
  const files = await openTokenizer(path.join(GOLDENS, folder));
  const tokenizer = createT5Tokenizer(files);
  const { sentencePiece: bytes, ...rest } = await openTokenizer(path.join(GOLDENS, `${folder}-sentencepiece`));
  const old = createT5Tokenizer({ ...rest, ...(bytes && { sentencePiece: bytes }) });

  it.each(cases)("splits, cuts and pads as transformers does: $prompt, $length", ({ prompt, length, ids, dropped }) => {
    const found = tokenizer.encode(prompt, length);
    expect(found.ids).toEqual(ids);
    expect(found.truncated).toBe(dropped);
  });

  it.each(cases)("does so with a SentencePiece model: $prompt, $length", ({ prompt, length, ids }) => {
    expect(old.encode(prompt, length).ids).toEqual(ids);
  });

  it("normalises as NFKC where the model has a table for it", () => {
    const table = Uint8Array.of(26, 4, 18, 2, 1, 2);
    const sentencePiece = Uint8Array.from([...(bytes ?? []), ...table]);
    const own = createT5Tokenizer({ ...files, tokenizer: undefined, sentencePiece });
    expect(own.encode("ｈａｔ", 8).ids).toEqual(tokenizer.encode("hat", 8).ids);
    expect(tokenizer.encode("ｈａｔ", 8).ids).not.toEqual(tokenizer.encode("hat", 8).ids);
  });

  it("refuses bytes that are no SentencePiece model of its kind", () => {
    const made = (sentencePiece: Uint8Array) =>
      createT5Tokenizer({ ...files, tokenizer: undefined, sentencePiece }).encode("x", 4);
    expect(() => made(Uint8Array.of(10, 50, 1))).toThrow("spiece.model: ends inside a field");
    expect(() => made(Uint8Array.of(11))).toThrow("has a field of form 3");
    expect(() => made(Uint8Array.of(16, 1))).toThrow("holds no tokens");
    // trainer_spec.model_type: 2 is byte-pair encoding.
    expect(() => made(Uint8Array.from([...(bytes ?? []), 18, 2, 24, 2]))).toThrow("is a SentencePiece model of kind 2");
  });

  it("names the file that it needs", () => {
    const old = { ...files, tokenizer: undefined };
    expect(() => createT5Tokenizer(old)).toThrow(`${files.folder}: tokenizer.json and spiece.model are missing`);
    const other = { ...files, tokenizer: { model: { type: "BPE", vocab: {}, merges: [] } } };
    expect(() => createT5Tokenizer(other)).toThrow("tokenizer.json is invalid for T5 at model.type");
  });
});
