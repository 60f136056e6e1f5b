import { describe, expect, it } from "vitest";
import { parseDefinition } from "../../src/experiments/definition.js";
import { placesNote, timedPlace } from "../../src/experiments/machine.js";
import type { CellResult } from "../../src/experiments/store.js";
import { tableOf } from "../../src/experiments/table.js";

const FAST = { host: "fast", machine: "cpu, 16 threads, Zen 4" };
const SLOW = { host: "slow", machine: "cpu, 2 threads, Zen 1" };

const result = (cell: string, place: CellResult["place"], milliseconds: number, workers = 1): CellResult => ({
  ...{ cell, calls: 4, milliseconds, workers, timesteps: [999] },
  ...(place && { place }),
  pictures: [
    { prompt: "a", seed: 0, features: {}, factors: null, probabilities: null, numbers: null, curve: null, steps: null },
  ],
});

describe("times of several machines", () => {
  it("come from the one that timed cells of most rows, of those with most cells", () => {
    const [base, distilled] = [
      [result("a", FAST, 100), result("b", SLOW, 900), result("c", FAST, 100)],
      [result("d", SLOW, 300)],
    ];
    expect(timedPlace([base, distilled])).toBe("cpu, 2 threads, Zen 1 on slow");
    expect(timedPlace([base])).toBe("cpu, 16 threads, Zen 4 on fast");
  });

  it("leave out cells that shared their host with other workers", () => {
    const results = [result("a", FAST, 100, 4), result("b", FAST, 100, 4), result("c", SLOW, 900)];
    expect(timedPlace([results])).toBe("cpu, 2 threads, Zen 1 on slow");
    expect(timedPlace([[result("a", FAST, 100, 2)]])).toBeNull();
  });

  it("are said in the report with the number of their cells; those of one machine need no note", () => {
    const results = [result("a", FAST, 100), result("b", SLOW, 900)];
    expect(placesNote(results, "cpu, 2 threads, Zen 1 on slow")).toBe(
      "cells of 2 machines, times of cpu, 2 threads, Zen 1 on slow only (1 of 2 cells)",
    );
    expect(placesNote(results, null)).toBe("cells of 2 machines, no times");
    expect(placesNote(results.slice(1), "cpu, 2 threads, Zen 1 on slow")).toBeNull();
  });

  it("are never averaged in a table", async () => {
    const definition = parseDefinition("x.json", {
      ...{ name: "x", title: "X", prompts: ["a", "b"], seeds: 1, measures: ["time"] },
      rows: [{ name: "base", sampling: { mode: "base" } }],
    });
    const [row] = definition.rows;
    if (!row) throw new Error("there is a row");
    const cells = ["a", "b"].map((id) => ({ id, row, samples: [{ prompt: id, seed: 0 }], calls: 4 }));
    const origins = new Map([["base", { plan: { rows: [] } as never, calls: 4, steps: 4, weights: "w" }]]);
    const results = new Map([result("a", FAST, 100), result("b", SLOW, 900)].map((r) => [r.cell, r]));
    const table = await tableOf({ definition, cells: cells as never, origins }, results, new Map(), null);
    expect([100, 900]).toContain(table.rows[0]?.values.time?.mean);
  });
});
