import { afterAll, describe, expect, it } from "vitest";
import { warnOfDecoding } from "../../src/cli/notices.js";
import { openPair } from "../../src/open/index.js";

const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());

/** Warnings about the times of a run in milliseconds. */
function warned(denoise: number, decode: number, of: Parameters<typeof warnOfDecoding>[1] = pair): string[] {
  const warnings: string[] = [];
  const refused = () => {
    throw new Error("only warnings are expected");
  };
  const terminal = { print: refused, emit: refused, table: refused, progress: refused, json: false };
  warnOfDecoding({ ...terminal, warn: (text) => warnings.push(text) }, of, { denoise, decode });
  return warnings;
}

describe("a run whose decoding took longer than its denoising", () => {
  it("names the TAESD of the family", () => {
    expect(warned(5000, 6450)).toEqual([
      "decoding took 6.5 s, denoising 5.0 s; --decoder madebyollin/taesdxl decodes faster, with less detail",
    ]);
    expect(warned(5000, 6450, { ...pair, family: "chroma" })[0]).toContain("madebyollin/taef1");
  });

  it("says nothing where decoding is short, shorter, or a TAESD's", () => {
    expect(warned(100, 1900)).toEqual([]);
    expect(warned(6500, 6450)).toEqual([]);
    expect(warned(5000, 6450, { ...pair, decoder: { config: { kind: "tiny" } } })).toEqual([]);
  });
});
