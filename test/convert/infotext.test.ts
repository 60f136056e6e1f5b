import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { infotext, parseInfotext } from "../../src/convert/index.js";

describe("infotext", () => {
  it("has the prompt, the negative prompt and one line of settings", () => {
    const settings = {
      Steps: 4,
      Sampler: "DPM++ 2M",
      Seed: 7,
      Size: "512x768",
      VAE: undefined,
      "Lora hashes": "a: 12, b: 34",
    };
    expect(infotext("a fox, red", "blurry", settings)).toBe(
      'a fox, red\nNegative prompt: blurry\nSteps: 4, Sampler: DPM++ 2M, Seed: 7, Size: 512x768, Lora hashes: "a: 12, b: 34"',
    );
    expect(infotext("a fox", undefined, settings)).not.toContain("Negative prompt");
  });

  it("comes back as it was written", () => {
    const line = fc.string({ unit: "grapheme" }).map((s) => s.replace(/[\n\r]/g, " ").trim());
    const words = fc
      .array(
        line.filter((s) => s !== "" && !s.startsWith("Negative prompt:")),
        { minLength: 1, maxLength: 3 },
      )
      .map((lines) => lines.join("\n"));
    // A1111 takes an empty value, and one in quotes without a comma, for something else.
    const value = line.filter((s) => s !== "" && !s.startsWith('"') && !/[\u2028\u2029]/.test(s));
    fc.assert(
      fc.property(words, words, value, (prompt, negative, text) => {
        const read = parseInfotext(infotext(prompt, negative, { Steps: 4, Seed: 1, Note: text, Size: "8x8" }));
        expect([read.prompt, read.negative]).toEqual([prompt.trim(), negative.trim()]);
        expect([...read.settings]).toEqual([
          ["Steps", "4"],
          ["Seed", "1"],
          ["Note", text],
          ["Size", "8x8"],
        ]);
      }),
    );
  });
});

describe("parseInfotext", () => {
  it("reads what A1111 writes", () => {
    const text = [
      "masterpiece, (a fox:1.2) <lora:detail:0.8>",
      "second line",
      "Negative prompt: lowres, bad",
      "more of it",
      'Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 965400086, Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Clip skip: 2, Lora hashes: "detail: 9c2cbbdb1b5e", Version: v1.10.1',
    ].join("\n");
    const { prompt, negative, settings } = parseInfotext(text);
    expect(prompt).toBe("masterpiece, (a fox:1.2) <lora:detail:0.8>\nsecond line");
    expect(negative).toBe("lowres, bad\nmore of it");
    expect(settings.get("Sampler")).toBe("DPM++ 2M");
    expect(settings.get("Lora hashes")).toBe("detail: 9c2cbbdb1b5e");
    expect(settings.get("Version")).toBe("v1.10.1");
    expect(settings.size).toBe(11);
  });

  it("takes a text without settings for a prompt", () => {
    expect(parseInfotext("a fox, size: large")).toEqual({
      prompt: "a fox, size: large",
      negative: "",
      settings: new Map(),
    });
    expect(parseInfotext("")).toEqual({ prompt: "", negative: "", settings: new Map() });
  });
});
