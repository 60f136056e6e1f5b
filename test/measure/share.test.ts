import { describe, expect, it } from "vitest";
import type { FolderMeasures, Measure } from "../../src/measure/result.js";
import { withShares } from "../../src/measure/share.js";

const measure = (
  id: string,
  mean: number,
  perPrompt?: readonly (number | null)[],
  more: Partial<Measure> = {},
): Measure => ({
  id,
  about: "",
  kind: "semantic",
  better: "higher",
  value: { mean, low: null, high: null, n: 4 },
  pictures: 4,
  prompts: 2,
  seeds: 2,
  ...(perPrompt && { perPrompt }),
  warnings: [],
  ...more,
});
const folder = (prompts: readonly string[], measures: readonly Measure[]): FolderMeasures => ({
  folder: "x",
  prompts: prompts.map((prompt) => ({ prompt, told: "list", files: [] })),
  skipped: [],
  measures,
  spectra: {},
  attributes: [],
});
const shares = (own: FolderMeasures, base: FolderMeasures) =>
  withShares(own, base).measures.map((m) => m.share?.mean ?? null);

describe("shares of the base's measures", () => {
  it("pair the prompts by name, in any order, and leave out those of one folder", () => {
    const own = folder(["a", "b", "c"], [measure("x", 0, [1, 3, null])]);
    const base = folder(["b", "d", "a"], [measure("x", 0, [4, 99, 2])]);
    // (1 + 3) / (2 + 4)
    expect(shares(own, base)[0]).toBeCloseTo(2 / 3, 12);
  });

  it("compare what has no value by prompt only over the same prompts", () => {
    const own = folder(["a", "b"], [measure("x", 1), measure("y", 3)]);
    expect(shares(own, folder(["b", "a"], [measure("x", 4)]))).toEqual([0.25, null]);
    expect(shares(own, folder(["b", "c"], [measure("x", 4)]))).toEqual([null, null]);
  });

  it("are not of measures of fidelity, nor of those against a reference", () => {
    const all = [measure("x", 1, [1], { kind: "fidelity" }), measure("y", 1, [1], { reference: 9 })];
    expect(shares(folder(["a"], all), folder(["a"], all))).toEqual([null, null]);
  });
});
