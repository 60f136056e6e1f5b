import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openTokenizer } from "../../src/checkpoint/node/index.js";
import { RequestError } from "../../src/errors.js";
import { createTokenizer } from "../../src/text/index.js";
import { EMBEDDED } from "../support/parity.js";

const files = await openTokenizer(`${EMBEDDED}base/tokenizer`);
const padded = await openTokenizer(`${EMBEDDED}base/tokenizer_2`);
const plain = createTokenizer(files);
const one = (token: string) => ({ token, vectors: 1 });

/** Tokens in a prompt from left to right, the longest first. */
function found(prompt: string, tokens: readonly string[]): string[] {
  const text = prompt.toLowerCase();
  const all: string[] = [];
  for (let at = 0; at < text.length; ) {
    const here = tokens.filter((t) => text.startsWith(t, at)).sort((a, b) => b.length - a.length)[0];
    if (here !== undefined) all.push(here);
    at += here?.length ?? 1;
  }
  return all;
}

const letters = (min: number, max: number) =>
  fc.array(fc.constantFrom("q", "z", "<"), { minLength: min, maxLength: max }).map((l) => l.join(""));
const overlapping = fc.uniqueArray(letters(2, 4), { minLength: 1, maxLength: 6 });
const written = (tokens: readonly string[]) =>
  fc
    .array(
      fc.oneof(
        fc.constantFrom(...tokens),
        fc.constantFrom(...tokens).map((t) => t.toUpperCase()),
        fc.constantFrom("q", "Z", " "),
      ),
      { maxLength: 7 },
    )
    .map((parts) => parts.join(""));

describe("tokens added to a tokenizer", () => {
  it("are found from left to right, the longest first, in any case", () => {
    fc.assert(
      fc.property(
        overlapping.chain((tokens) => fc.tuple(fc.constant(tokens), fc.array(written(tokens), { maxLength: 8 }))),
        ([tokens, prompts]) => {
          const tokenizer = plain.withTokens(tokens.map(one));
          for (const prompt of prompts) {
            const { ids } = tokenizer.encode(prompt);
            const names = ids.flatMap((id) => tokens[id - plain.size] ?? []);
            expect(names, prompt).toEqual(found(prompt, tokens));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("stand for all their embeddings, cut where the prompt is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3 }), (vectors, before) => {
        const tokenizer = plain.withTokens([
          { token: "<other>", vectors: before },
          { token: "<pip>", vectors },
        ]);
        const { ids, truncated } = tokenizer.encode("a <pip>");
        const fit = Math.min(vectors, 29);
        const first = plain.size + before;
        expect(ids.filter((id) => id >= plain.size)).toEqual(Array.from({ length: fit }, (_, i) => first + i));
        expect(truncated).toBe(vectors - fit);
        expect(ids).toHaveLength(32);
      }),
    );
  });

  it("leave the tokenizer that they were added to as it was", () => {
    const before = plain.encode("a <pip>");
    plain.withTokens([one("<pip>")]);
    expect(plain.encode("a <pip>")).toEqual(before);
  });

  it("add up", () => {
    const twice = plain.withTokens([{ token: "<pip>", vectors: 2 }]).withTokens([{ token: "<pop>", vectors: 2 }]);
    const once = plain.withTokens([
      { token: "<pip>", vectors: 2 },
      { token: "<pop>", vectors: 2 },
    ]);
    expect(twice.encode("<pop><pip>")).toEqual(once.encode("<pop><pip>"));
    expect(twice.size).toBe(plain.size + 4);
  });

  it.each([
    ["in the vocabulary", plain, [one("a</w>")]],
    ["a special token", plain, [one("<|endoftext|>")]],
    ["there twice", plain, [one("<pip>"), one("<pip>")]],
    ["an embedding of another", plain, [{ token: "<pip>", vectors: 2 }, one("<pip>_1")]],
    ["another in upper case", plain, [one("<pip>"), one("<PIP>")]],
    ["split by a special token", createTokenizer(padded), [one("wow!z")]],
    ["empty", plain, [one("")]],
  ] as const)("are refused when one is %s", (_, tokenizer, tokens) => {
    expect(() => tokenizer.withTokens(tokens)).toThrow(RequestError);
  });
});
