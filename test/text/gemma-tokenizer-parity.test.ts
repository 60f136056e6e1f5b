import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openTokenizer } from "../../src/checkpoint/node/index.js";
import { createGemmaTokenizer } from "../../src/text/gemma-tokenizer.js";
import { temporaryFolder } from "../support/folder.js";
import { description, GOLDENS } from "../support/parity.js";

const { folder, cases } = description(
  "gemma-tokenizer",
  z.object({ folder: z.string(), cases: z.array(z.object({ text: z.string(), ids: z.array(z.number()) })) }),
);

describe("Gemma's tokenizer", async () => {
  const tokenizer = createGemmaTokenizer(await openTokenizer(path.join(GOLDENS, folder)));
  it.each(cases)("$text", ({ text, ids }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
  });

  it("says which file is missing, and what is wrong with one", async () => {
    const empty = path.join(temporaryFolder(), "tokenizer");
    mkdirSync(empty);
    for (const name of ["vocab.json", "merges.txt"]) writeFileSync(path.join(empty, name), "{}");
    const files = await openTokenizer(empty);
    expect(() => createGemmaTokenizer(files)).toThrow(/tokenizer.json is missing; Gemma's tokenizer is read from it/);
    const unigram = { ...files, tokenizer: { model: { type: "Unigram" } } };
    expect(() => createGemmaTokenizer(unigram)).toThrow(/tokenizer.json is invalid for Gemma at model/);
  });
});
