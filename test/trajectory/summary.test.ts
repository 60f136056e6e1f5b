import { describe, expect, it } from "vitest";
import type { CausalRow, Trace, TracedMode } from "../../src/trajectory/result.js";
import { summarise } from "../../src/trajectory/summary.js";

const spaces = <T>(value: T) => ({ latent: value, pixel: value, perceptual: value });

function mode(
  name: "base" | "distilled" | "hybrid",
  steps: number,
  diversity: number,
  committedAt: number[],
): TracedMode {
  return {
    mode: name,
    steps: Array.from({ length: steps }, () => ({}) as TracedMode["steps"][number]),
    commit: spaces({ perSeed: [], mean: [] }),
    spread: spaces([0.9, diversity]),
    agreement: null,
    committed: spaces(committedAt.map((step, seed) => ({ seed, step, share: (step + 1) / steps, timestep: 0 }))),
    watched: [],
  };
}

const rows = (alone: number, ...values: number[]): CausalRow[] =>
  [alone, ...values].map((value, i) => ({
    row: i === 0 ? null : i - 1,
    timestep: i === 0 ? null : 999 - 250 * (i - 1),
    diversity: spaces(value),
    change: spaces(0),
  }));

const trace = (causal: CausalRow[] | null): Pick<Trace, "modes" | "causal" | "apart"> => ({
  modes: [mode("base", 25, 0.5, [3, 6]), mode("distilled", 4, 0.3, [1, 1]), mode("hybrid", 4, 0.49, [1, 2])],
  causal,
  apart: spaces(0.5),
});

describe("the sentences of a trace", () => {
  it("say what is kept, which row decides, and when images are committed", () => {
    expect(summarise(trace(rows(0.3, 0.48, 0.36, 0.31)))).toEqual([
      "Of the base's diversity (0.500), the distilled model keeps 60 % (0.300), the hybrid keeps 98 % (0.490).",
      "Row 0 (timestep 999) decides: run by the base alone, it raises the distilled model's diversity from 0.300 to 0.480; the next, row 1, raises it to 0.360.",
      "Images are committed: base after 5.5 of 25 steps, distilled model after 2.0 of 4 steps, hybrid after 2.5 of 4 steps.",
    ]);
  });

  it("say that the next row lowers it where it does", () => {
    expect(summarise(trace(rows(0.3, 0.25, 0.4)))[1]).toMatch(/to 0\.400; the next, row 0, lowers it to 0\.250\.$/);
  });

  it("name the row that decides wherever it stands", () => {
    expect(summarise(trace(rows(0.3, 0.31, 0.4)))[1]).toMatch(/^Row 1 \(timestep 749\) decides/);
  });

  it("claim no deciding row where none changes diversity", () => {
    expect(summarise(trace(rows(0.3, 0.32, 0.29)))[1]).toBe(
      "No single row run by the base raises the distilled model's diversity by more than 10 %.",
    );
  });

  it("leave out what was not measured", () => {
    expect(summarise(trace(null))).toHaveLength(2);
    expect(summarise({ ...trace(null), apart: null })).toEqual([expect.stringMatching(/One seed.*--seeds 0-7/)]);
  });
});
