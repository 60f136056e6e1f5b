import { cpSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openTokenizer } from "../../src/checkpoint/node/index.js";
import { createTokenizer } from "../../src/text/index.js";
import { temporaryFolder } from "../support/folder.js";
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

const addedSchema = z.object({
  cases: z.array(
    z.object({
      name: z.string(),
      base: z.string(),
      files: z.record(z.string(), z.unknown()),
      embeddings: z.record(z.string(), z.number()),
      prompts: z.array(tokens.extend({ prompt: z.string() })),
    }),
  ),
});
const { cases } = description("added-tokens", addedSchema);

/** A folder with the embedded vocabulary and these files; of tokenizer.json only the added tokens are given. */
function tokenizerFolder(base: string, files: Readonly<Record<string, unknown>>): string {
  const folder = temporaryFolder();
  const source = path.join(EMBEDDED, "base", base);
  for (const name of ["vocab.json", "merges.txt"]) cpSync(path.join(source, name), path.join(folder, name));
  for (const [name, content] of Object.entries(files)) {
    const whole = name === "tokenizer.json" ? JSON.parse(readFileSync(path.join(source, name), "utf8")) : null;
    writeFileSync(path.join(folder, name), JSON.stringify(whole ? { ...whole, added_tokens: content } : content));
  }
  return folder;
}

describe("added tokens", () => {
  describe.each(cases)("$name", async ({ base, files, embeddings, prompts }) => {
    const plain = createTokenizer(await openTokenizer(tokenizerFolder(base, files)), 32);
    const tokenizer = plain.withTokens(Object.entries(embeddings).map(([token, vectors]) => ({ token, vectors })));
    it.each(prompts.map((entry) => ({ entry, title: title(entry.prompt) })))("$title", ({ entry }) => {
      const { prompt, ...expected } = entry;
      expect(tokenizer.encode(prompt)).toEqual(expected);
    });
  });
});
