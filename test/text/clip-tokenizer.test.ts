import { describe, expect, it } from "vitest";
import { openTokenizer } from "../../src/checkpoint/node/index.js";
import { FileError } from "../../src/errors.js";
import { createTokenizer } from "../../src/text/index.js";
import { EMBEDDED } from "../support/parity.js";

const files = await openTokenizer(`${EMBEDDED}base/tokenizer`);
const old = { ...files, tokenizer: undefined };

describe("CLIP's tokenizer", () => {
  it("has no more tokens than the text encoder has positions", () => {
    expect(createTokenizer(files, 16).encode("a cartoon").ids).toHaveLength(16);
    expect(createTokenizer({ ...files, config: {} }, 20).maxLength).toBe(20);
    expect(createTokenizer(files, 77).maxLength).toBe(32);
  });

  it.each([
    ["no vocabulary", { ...old, vocab: undefined }],
    ["a vocabulary without ids", { ...old, vocab: { a: "b" } }],
    ["a padding token that is not in it", { ...files, config: { pad_token: "[PAD]" } }],
    ["a special token without content", { ...files, config: { bos_token: { normalized: true } } }],
    ["a token of whole words only", { ...files, config: { pad_token: { content: "!", single_word: true } } }],
    ["tokens that are no table", { ...files, addedTokens: ["<toy>"] }],
    ["a tokenizer.json without merges", { ...files, tokenizer: { model: { vocab: {} } } }],
  ])("refuses %s", (_, source) => {
    const failure = (() => {
      try {
        return createTokenizer(source);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(FileError);
    expect(failure).toMatchObject({ file: files.folder });
  });
});
