import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openTokenizer } from "../../src/checkpoint/node/index.js";
import { createT5Tokenizer } from "../../src/text/index.js";
import { description, GOLDENS } from "../support/parity.js";

const schema = z.object({
  folder: z.string(),
  cases: z.array(z.object({ prompt: z.string(), length: z.number(), ids: z.array(z.number()), dropped: z.number() })),
});

describe("T5's tokenizer", async () => {
  const { folder, cases } = description("t5-tokenizer", schema);
  const files = await openTokenizer(path.join(GOLDENS, folder));
  const tokenizer = createT5Tokenizer(files);

  it.each(cases)("splits, cuts and pads as transformers does: $prompt, $length", ({ prompt, length, ids, dropped }) => {
    const found = tokenizer.encode(prompt, length);
    expect(found.ids).toEqual(ids);
    expect(found.truncated).toBe(dropped);
  });

  it("names the file that it needs", () => {
    const old = { ...files, tokenizer: undefined };
    expect(() => createT5Tokenizer(old)).toThrow(`${files.folder}: tokenizer.json is missing; T5's tokenizer is read`);
    const other = { ...files, tokenizer: { model: { type: "BPE", vocab: {}, merges: [] } } };
    expect(() => createT5Tokenizer(other)).toThrow("tokenizer.json is invalid for T5 at model.type");
  });
});
