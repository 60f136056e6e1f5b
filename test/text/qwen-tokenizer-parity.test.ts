import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openTokenizer } from "../../src/checkpoint/node/index.js";
import { FAMILIES } from "../../src/families/index.js";
import { createQwenTokenizer } from "../../src/text/qwen-tokenizer.js";
import { description, GOLDENS } from "../support/parity.js";

const schema = z.object({
  folder: z.string(),
  padding: z.number(),
  cases: z.array(z.object({ prompt: z.string(), text: z.string(), ids: z.array(z.number()) })),
});

describe("Qwen's tokenizer", async () => {
  const { folder, padding, cases } = description("qwen-tokenizer", schema);
  const tokenizer = createQwenTokenizer(await openTokenizer(path.join(GOLDENS, folder)));
  const { chat } = FAMILIES.zimage.text;

  it("pads with the token of its files", () => expect(tokenizer.padding).toBe(padding));

  it.each(cases)("writes a chat message and splits it as transformers does: $prompt", ({ prompt, text, ids }) => {
    expect(`${chat?.before}${prompt}${chat?.after}`).toBe(text);
    expect(tokenizer.encode(text)).toEqual(ids);
  });
});
