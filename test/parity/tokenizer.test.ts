import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openTokenizer } from "../../src/checkpoint/index.js";
import { createTokenizer } from "../../src/text/index.js";
import { description, EMBEDDED } from "../support/parity.js";

const tokens = z.object({ ids: z.array(z.number()), truncated: z.number() });
const schema = z.object({
  prompts: z.array(
    z.object({
      prompt: z.string(),
      tokenizer: tokens,
      tokenizer_2: tokens,
      "tokenizer from vocab.json": tokens.optional(),
      "tokenizer_2 from vocab.json": tokens.optional(),
    }),
  ),
});
const { prompts } = description("tokenizer", schema);
/** A prompt in a test's title: short, every odd character visible. */
const title = (prompt: string) =>
  JSON.stringify(prompt)
    .replace(/[^ -~]/g, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`)
    .slice(0, 60);

describe.each(["tokenizer", "tokenizer_2"] as const)("%s", async (name) => {
  const files = await openTokenizer(`${EMBEDDED}base/${name}`);
  const layouts = {
    "tokenizer.json": files,
    "vocab.json": { ...files, tokenizer: undefined, specialTokens: undefined },
  };

  describe.each(Object.entries(layouts))("from %s", (layout, source) => {
    const tokenizer = createTokenizer(source);
    it.each(prompts.map((entry, i) => ({ entry, title: `${i} ${title(entry.prompt)}` })))("$title", ({ entry }) => {
      const old = layout === "vocab.json" ? entry[`${name} from vocab.json`] : undefined;
      expect(tokenizer.encode(entry.prompt)).toMatchObject(old ?? entry[name]);
    });
  });
});
