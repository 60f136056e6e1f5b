import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cellsOf } from "../../src/experiments/cell.js";
import { parseDefinition, promptSeeds } from "../../src/experiments/definition.js";
import { frontExperiment } from "../../src/experiments/front.js";
import { frontRows } from "../../src/experiments/markdown.js";
import { pageOf } from "../../src/experiments/page.js";
import { type CellResult, packed } from "../../src/experiments/store.js";
import { tableOf } from "../../src/experiments/table.js";
import { callsPerImage, planFor } from "../../src/generate/index.js";
import { uniform } from "../../src/metrics/index.js";
import { openPair, openPlanSource } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";
import { expectSelfContained, openPage } from "../support/page.js";

const random = uniform(11);
/** Rows with the angle between their seeds, how far their images are from the prompt's text, and their model calls. */
const ROWS = {
  narrow: { spread: 0.2, off: 0, calls: 4 },
  wide: { spread: 0.6, off: 0, calls: 4 },
  // As diverse as wide, at twice the cost.
  dear: { spread: 0.6, off: 0, calls: 8 },
  // More diverse, and off the prompt.
  wild: { spread: 0.9, off: 0.7, calls: 4 },
} as const;
type Name = keyof typeof ROWS;

/** Three values: two of a plane that seeds vary in, and one that no prompt asks for. */
function feature(name: Name, seed: number): Float32Array {
  const { spread, off } = ROWS[name];
  const angle = (seed - 1.5) * spread + 0.02 * (random() - 0.5);
  return Float32Array.of(Math.cos(angle), Math.sin(angle), off);
}

async function measured() {
  const definition = parseDefinition("x.json", {
    ...{ name: "x", title: "X", prompts: ["a", "b", "c", "d", "e", "f"], seeds: 4 },
    measures: ["distance", "vendi", "clip-score", "calls"],
    front: ["distance", "clip-score", "calls"],
    rows: Object.keys(ROWS).map((name) => ({ name, sampling: { mode: "distilled" } })),
  });
  const names = Object.keys(ROWS) as Name[];
  const origins = new Map(
    names.map((name) => [
      name,
      { plan: { rows: [{ name }] } as never, calls: ROWS[name].calls, steps: 4, weights: "w" },
    ]),
  );
  const cells = cellsOf(definition, promptSeeds(definition), origins);
  const none = { factors: null, probabilities: null, numbers: null, curve: null, steps: null };
  const results = new Map(
    cells.map(({ id, row, samples, calls }): [string, CellResult] => [
      id,
      {
        ...{ cell: id, calls, milliseconds: 1, workers: 1, timesteps: [999] },
        pictures: samples.map(({ prompt, seed }) => ({
          ...{ prompt, seed, ...none },
          features: { clip: packed(feature(row.name as Name, seed)), sharpness: packed(Float32Array.of(0.25)) },
        })),
      },
    ]),
  );
  const reader = { clip: { text: async () => Float32Array.of(1, 0, 0) }, classifier: null };
  return tableOf({ definition, cells, origins }, results, new Map(names.map((name) => [name, reader])), null);
}

describe("a front", async () => {
  const table = await measured();

  it("marks a row that another beats surely in one measure, and in none falls behind", () => {
    // wild has lower CLIP scores; dear has no measure in which wide is surely better but its calls.
    expect(table.front?.points).toEqual([
      { row: "narrow", dominatedBy: null },
      { row: "wide", dominatedBy: null },
      { row: "dear", dominatedBy: "wide" },
      { row: "wild", dominatedBy: null },
    ]);
    expect(frontRows(table).slice(1)).toEqual([
      ["narrow", "none"],
      ["wide", "none"],
      ["dear", "wide"],
      ["wild", "none"],
    ]);
  });

  it("is drawn with the images, numbers and command of each point", () => {
    const about = {
      command: "variegate experiment",
      versions: {},
      models: "",
      student: null,
      reference: null,
      places: [],
    };
    const file = path.join(temporaryFolder(), "report.html");
    const details = {
      images: (row: string) => [`data:image/png;base64,${Buffer.from(row).toString("base64")}`],
      sampling: () => ({ mode: "hybrid", switch: 2, diversity: [{ method: "cads", scale: 0.5 }] }) as const,
      models: ["--pair", "x"],
    };
    writeFileSync(
      file,
      pageOf([table], about, new Map(), () => details),
    );
    const page = openPage(file);
    expectSelfContained(page);
    const points = [...page.document.querySelectorAll(".front .point")];
    expect(points.map((p) => p.getAttribute("data-name")).toSorted((a, b) => ((a ?? "") < (b ?? "") ? -1 : 1))).toEqual(
      ["dear", "narrow", "wide", "wild"],
    );
    expect(page.document.querySelectorAll(".front .dominated")).toHaveLength(1);
    expect(page.text(".front figcaption")).toContain("3 of 4 points are not dominated");
    points
      .find((p) => p.getAttribute("data-name") === "dear")
      ?.dispatchEvent(new page.document.defaultView.Event("focus"));
    expect(page.text(".front aside h3")).toBe("dear");
    expect(page.text(".front aside p")).toBe("dominated by wide");
    expect(page.text(".front aside code")).toMatch(
      /^variegate generate "a" --pair x .*--switch 2.*--diversity cads:scale=0.5/,
    );
    expect(page.images()).toEqual([details.images("dear")[0]]);
  });
});

describe("the front of all methods", async () => {
  const pair = await openPlanSource({});
  const lora = await openPair({ pair: "embedded-lora" }, { threads: 1 });
  afterAll(() => lora.close());

  it("compares base, distilled model and hybrid with every method that the pair can run", () => {
    const { rows, seeds, prompts } = frontExperiment(pair, { prompts: ["a", "b", "b", "c"], images: 100 });
    expect([prompts.length, seeds]).toEqual([3, 34]);
    const names = rows.map((r) => r.name);
    expect(names.slice(0, 3)).toEqual(["base", "distilled", "hybrid"]);
    expect(new Set(names).size).toBe(names.length);
    for (const method of ["cads", "particles", "spread", "anchor 5 of 30", "choose 1 of 4", "k = 2, ddim", "2 : 1"])
      expect(names.some((name) => name.includes(method))).toBe(true);
    expect(names.some((name) => name.includes("partial-lora"))).toBe(false);
    expect(frontExperiment(lora, { prompts: ["a"], images: 8 }).rows.some((r) => r.name.includes("partial-lora"))).toBe(
      true,
    );
    for (const { sampling } of rows) expect(callsPerImage(pair, planFor(pair, sampling))).toBeGreaterThan(0);
  });

  it("keeps within a budget of model calls", () => {
    const { rows } = frontExperiment(pair, { prompts: ["a"], images: 8, budget: 4 });
    for (const { name, sampling } of rows.slice(3))
      expect({ name, within: callsPerImage(pair, planFor(pair, sampling)) <= 4 }).toEqual({ name, within: true });
  });
});
