import { describe, expect, it } from "vitest";
import { openTokenizer } from "../../src/checkpoint/node/index.js";
import { RequestError } from "../../src/errors.js";
import { float } from "../../src/tensor/index.js";
import { CHUNKS, type TokenizedPiece } from "../../src/text/chunks.js";
import { createTokenizer, lorasOf, plainText } from "../../src/text/index.js";
import { piecesOf } from "../../src/text/syntax.js";
import { inversionNamed, named, textualInversion } from "../../src/text/textual-inversion.js";
import { EMBEDDED } from "../support/parity.js";

const files = await openTokenizer(`${EMBEDDED}base/tokenizer`);
const tokenizer = createTokenizer(files);

describe("LoRAs of a prompt", () => {
  it("have one scale, or one for text encoders and one for the denoiser", () => {
    const prompt =
      "a <lora:one>cat<lora:two:0.5>, <lora:sub/three:0.5:-1> <lyco:four:te=0.2:unet=0.7> <lora:five:unet=2>";
    expect(lorasOf(prompt)).toEqual([
      { name: "one", text: 1, denoiser: 1 },
      { name: "two", text: 0.5, denoiser: 0.5 },
      { name: "sub/three", text: 0.5, denoiser: -1 },
      { name: "four", text: 0.2, denoiser: 0.7 },
      { name: "five", text: 1, denoiser: 2 },
    ]);
    expect(piecesOf(prompt, "a1111")).toEqual([{ kind: "text", text: "a cat,   ", weight: 1 }]);
  });

  it.each(["<hypernet:x:1>", "<lora::1>", "<lora:x:much>", "<lora:x:1:1:8>", "<lora:x:1:dyn=4>", "<lora:x:1:>"])(
    "are refused by name: %s",
    (tag) => {
      expect(() => lorasOf(`a ${tag} hat`)).toThrow(RequestError);
      expect(() => lorasOf(`a ${tag} hat`)).toThrow(tag);
    },
  );
});

describe("syntax of A1111 that is not supported", () => {
  it.each([
    ["a [cat:hat:0.5] b", "[cat:hat:0.5]", /prompt editing/],
    ["a [hat:3]", "[hat:3]", /prompt editing/],
    ["a [(big:1.2) hat::0.4]", "[(big:1.2) hat::0.4]", /prompt editing/],
    ["a [[cat|hat] b:0.2]", "[cat|hat]", /alternating/],
    ["a [(a|b) c|d]", "[(a|b) c|d]", /alternating/],
    ["a cat AND a hat", "AND", /AND/],
    ["a cat :1.2", ":1.2", /whole prompt/],
    ["a (cat:1.2.3)", ":1.2.3)", /not a number/],
  ])("is refused by name: %s", (prompt, shown, reason) => {
    expect(() => piecesOf(prompt, "a1111")).toThrow(reason);
    expect(() => piecesOf(prompt, "a1111")).toThrow(shown);
  });

  it.each(["[(a:0.5)]", "[(a|b)]", "\\[a:0.5\\]", "[a:b]", "a|b", "LAND and BAND", "a: 3 hats", "[\\|]"])(
    "is not found in %s",
    (prompt) => {
      expect(() => piecesOf(prompt, "a1111")).not.toThrow();
    },
  );
});

describe("textual inversions in a prompt", () => {
  const inversion = (file: string, token: string, vectors: number) =>
    textualInversion(
      { file, tensors: new Map([["emb_params", float([vectors, 1])]]) },
      { token: null, tensors: ["emb_params"] },
      token,
      [1],
    );
  const inversions = [inversion("some/pip-2.pt", "<p>", 2), inversion("pip.safetensors", "<pop>", 1)];
  const grown = tokenizer.withTokens([
    { token: "<p>", vectors: 2 },
    { token: "<pop>", vectors: 1 },
  ]);

  it("of ComfyUI begin with embedding: after a space, and end before a comma", () => {
    expect(piecesOf("embedding:one, a (hat embedding:two.pt and:1.2) xembedding:three", "comfy")).toEqual([
      { kind: "embedding", name: "one", weight: 1 },
      { kind: "text", text: ", a", weight: 1 },
      { kind: "text", text: "hat", weight: 1.2 },
      { kind: "embedding", name: "two.pt", weight: 1.2 },
      { kind: "text", text: "and", weight: 1.2 },
      { kind: "text", text: " xembedding:three", weight: 1 },
    ]);
    expect(() => piecesOf("a embedding:", "comfy")).toThrow(RequestError);
  });

  it("are found by file name or token", () => {
    expect(inversionNamed("pip-2.pt", inversions).token).toBe("<p>");
    expect(inversionNamed("p", inversions).token).toBe("<p>");
    expect(() => inversionNamed("pip-3", inversions)).toThrow(/pip-3.*pip-2, pip.*--embedding/);
  });

  it("of A1111 are found by their file names, the longest first", () => {
    const [first, second, third] = [grown.size - 3, grown.size - 2, grown.size - 1];
    expect(named(grown.units("Pip-2, pip"), inversions, grown)).toEqual([
      [first, second],
      ...grown.units(","),
      [third],
    ]);
  });
});

describe("chunks", () => {
  const limits = { length: 5, comma: 9 };
  const text = (weight: number, ...units: (number | number[])[]): TokenizedPiece => ({
    kind: "text",
    weight,
    units: units.map((unit) => (typeof unit === "number" ? [unit] : unit)),
  });
  const ids = (syntax: "a1111" | "comfy" | "plain", ...pieces: TokenizedPiece[]) =>
    CHUNKS[syntax](pieces, limits).map((chunk) => chunk.ids);

  it("of A1111 end at the last comma, and never inside of a textual inversion", () => {
    expect(ids("a1111", text(1, 1, 9, 2, 3, 4, 5))).toEqual([
      [1, 9],
      [2, 3, 4, 5],
    ]);
    expect(ids("a1111", text(1, 1, 2, 3, 4, 5, 9, 6))).toEqual([
      [1, 2, 3, 4, 5],
      [9, 6],
    ]);
    expect(ids("a1111", text(1, 1, 9, 2, [7, 8, 7], 3))).toEqual([
      [1, 9, 2],
      [7, 8, 7, 3],
    ]);
  });

  it("of ComfyUI keep short pieces together and split long ones", () => {
    expect(ids("comfy", text(1, 1, 2, 3), text(2, 4, 5, 6))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(ids("comfy", text(1, 1, 2, 3), text(2, 1, 2, 3, 4, 5, 6, 7, 8))).toEqual([
      [1, 2, 3, 1, 2],
      [3, 4, 5, 6, 7],
      [8],
    ]);
  });

  it("of plain text are one, truncated", () => {
    expect(ids("plain", text(1, 1, 2, 3, 4, 5, 6))).toEqual([[1, 2, 3, 4, 5]]);
  });
});

describe("a prompt without its markup", () => {
  it("reads as text", () => {
    expect(plainText("a (red:1.3) [hat] <lora:x:1> BREAK \\(b\\)", "a1111")).toBe("a red hat (b)");
    expect(plainText("a (red:1.3) [hat]", "comfy")).toBe("a red [hat]");
    expect(plainText("a (red:1.3)", "plain")).toBe("a (red:1.3)");
  });
});

describe("words of a vocabulary", () => {
  it("are all known where it was made from text, else those it was made from", () => {
    expect(tokenizer.unknownWords("A photograph of a CAT in the rain, 3 cats, a cat")).toEqual([
      "photograph",
      "of",
      "in",
      "the",
      "rain",
      "cats",
    ]);
    expect(tokenizer.withTokens([{ token: "<pip>", vectors: 1 }]).unknownWords("a <PIP> cat")).toEqual([]);
    const words = Array.from({ length: 4000 }, (_, i) => [`w${i}</w>`, i] as const);
    const vocab = Object.fromEntries([...words, ["<|startoftext|>", 4000], ["<|endoftext|>", 4001]]);
    expect(
      createTokenizer({ ...files, vocab, merges: "", tokenizer: undefined, config: {} }).unknownWords("a photograph"),
    ).toEqual([]);
  });
});
