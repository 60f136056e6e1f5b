import { describe, expect, it } from "vitest";
import { cellsOf, type Origin } from "../../src/experiments/cell.js";
import { type DefinitionInput, parseDefinition, promptSeeds } from "../../src/experiments/definition.js";
import {
  agreementsOf,
  claimsOf,
  effectsOf,
  markdownOf,
  numbersOf,
  promptsOf,
  reasonsOf,
  summaryOf,
} from "../../src/experiments/markdown.js";
import { type CellResult, packed } from "../../src/experiments/store.js";
import { type TextReader, tableOf } from "../../src/experiments/table.js";
import type { Work } from "../../src/experiments/work.js";

type Picture = CellResult["pictures"][number];

const origin = (name: string): Origin => ({
  plan: { rows: [{ name }] } as never,
  calls: 4,
  steps: 3,
  weights: name,
});

/** Results of every cell, each image as `see` has it. */
function worked(
  input: Omit<DefinitionInput, "name" | "title">,
  see: (row: string, prompt: string, seed: number) => Partial<Picture> & { readonly clip: readonly number[] },
) {
  const definition = parseDefinition("x.json", { name: "x", title: "X", ...input });
  const origins = new Map(definition.rows.map((r) => [r.name, origin(r.name)]));
  const cells = cellsOf(definition, promptSeeds(definition), origins);
  const results = new Map(
    cells.map(({ id, row, samples, calls }): [string, CellResult] => [
      id,
      {
        cell: id,
        calls,
        milliseconds: 10 * samples.length,
        workers: 1,
        timesteps: [999, 500, 1],
        pictures: samples.map(({ prompt, seed }) => {
          const { clip, ...more } = see(row.name, prompt, seed);
          const features = { clip: packed(Float32Array.from(clip)) };
          const none = { factors: null, probabilities: null, numbers: null, curve: null, steps: null };
          return { prompt, seed, features, ...none, ...more };
        }),
      },
    ]),
  );
  const work: Work = { definition, cells, origins };
  return { work, results };
}

/** Texts are the numbers in them. */
const reader: TextReader = {
  clip: { text: async (text) => Float32Array.from([...text.matchAll(/\d+/g)].map(Number)) },
  classifier: null,
};
const readersOf = ({ definition }: Work, r: TextReader = reader) =>
  new Map(definition.rows.map((row) => [row.name, r]));

const ROWS = [
  { name: "narrow", sampling: { mode: "distilled" as const } },
  { name: "wide", sampling: { mode: "base" as const }, paper: { distance: 0.4 } },
];

describe("the table of an experiment", () => {
  // Three prompts of two seeds: narrow images are 45° apart, wide ones 90°, except prompt c, where all are alike.
  const { work, results } = worked(
    {
      prompts: ["a 1 0", "b 1 0", "c 0 1"],
      seeds: 2,
      rows: ROWS,
      measures: ["distance", "clip-score", "time", "fid"],
      byPrompt: "distance",
      claims: [
        { says: "wider", measure: "distance", row: "wide", is: "more", than: "narrow" },
        { says: "as fast", measure: "time", row: "wide", is: "as much", than: "narrow" },
        { says: "nearer", measure: "fid", row: "wide", is: "less", than: "narrow" },
        { says: "it differs", measure: "distance", row: "wide", is: "more" },
      ],
    },
    (row, prompt, seed) => ({
      clip: seed === 0 || prompt.startsWith("c") ? [1, 0] : row === "wide" ? [0, 1] : [1, 1],
    }),
  );

  it("holds each row's measures, in order, and leaves out those that nothing was measured of", async () => {
    const table = await tableOf(work, results, readersOf(work), null);
    expect(table.measures).toEqual(["distance", "clip-score", "time"]);
    expect(table.rows.map((r) => [r.name, r.pictures])).toEqual([
      ["narrow", 6],
      ["wide", 6],
    ]);
    const [narrow, wide] = table.rows;
    expect(narrow?.values.distance?.mean).toBeCloseTo((2 * (1 - Math.SQRT1_2)) / 3, 6);
    expect(wide?.values.distance?.mean).toBeCloseTo(2 / 3, 6);
    expect(wide?.byPrompt).toEqual([1, 1, 0].map((v) => expect.closeTo(v, 6)));
    // Cosines with (1, 0): 1 and 0 in a and b; with (0, 1) 0 in c.
    expect(wide?.values["clip-score"]?.mean).toBeCloseTo(100 / 3, 4);
    expect(wide?.values.time?.mean).toBe(10);
  });

  it("judges claims by ratios over prompts, or by the number alone", async () => {
    const { judgements } = await tableOf(work, results, readersOf(work), null);
    expect(judgements.map((j) => j.verdict)).toEqual(["not tested", "not tested", "not tested", "not tested"]);
    expect(judgements[0]?.ours?.mean).toBeCloseTo(1 / (1 - Math.SQRT1_2), 4);
    expect(judgements[1]?.ours).toEqual({ mean: 1, low: null, high: null, n: 1 });
    expect(judgements[3]).toMatchObject({ paper: 0.4, ours: { mean: expect.closeTo(2 / 3, 6) } });
  });

  it("is written as rows of text that say the same", async () => {
    const table = await tableOf(work, results, readersOf(work), null);
    expect(numbersOf(table).map((r) => r[0])).toEqual(["", "narrow", "wide"]);
    expect(numbersOf(table)[0]).toEqual(["", "CLIP distance ↑", "paper", "CLIP score (100 cos) ↑", "ms per image ↓"]);
    expect(
      claimsOf(table)
        .slice(1)
        .map((r) => r.at(-1)),
    ).toEqual(table.judgements.map((j) => j.verdict));
    expect(promptsOf(table).at(-1)).toEqual(["c 0 1", "0.000", "0.000"]);
    const about = {
      command: "variegate experiment",
      versions: { node: "1" },
      models: "pair x",
      student: "Plainly distilled.",
      reference: null,
      places: [],
    };
    const markdown = markdownOf([table], about);
    expect(markdown).toContain("| wider | CLIP distance: wide ÷ narrow |");
    // The note explains every verdict.
    for (const word of ["Agrees", "disagrees", "undecided", "not tested"]) expect(markdown).toContain(`“${word}”`);
    expect(markdown).toContain("Plainly distilled.");
  });
});

describe("claims", () => {
  const prompts = Array.from({ length: 6 }, (_, p) => `prompt ${p} 1 0`);
  const { work, results } = worked(
    {
      prompts,
      seeds: 2,
      rows: [
        { name: "base", sampling: { mode: "base" }, paper: { distance: 0.4 } },
        { name: "distilled", sampling: { mode: "distilled" }, paper: { distance: 0.3 } },
        { name: "pushed", sampling: { mode: "base" }, against: "base", attribute: "smile" },
      ],
      measures: ["distance", "attribute-change"],
      claims: [
        { says: "less", measure: "distance", row: "distilled", is: "less", than: "base" },
        { says: "more", measure: "distance", row: "distilled", is: "more", than: "base" },
        { says: "more, by scores", measure: "clip-score", row: "distilled", is: "more", than: "base" },
      ],
      effects: [{ says: "pushing", measure: "attribute-change", rows: { "on base": "pushed" } }],
    },
    (row, prompt, seed) => ({
      // Seeds of the base are 90° apart, those of the distilled model 45°.
      clip: seed === 0 ? [1, 0] : row === "distilled" ? [1, 1] : [0, 1],
      numbers: { smile: row === "pushed" ? 0.5 + Number(/\d/.exec(prompt)?.[0]) / 100 : 0 },
    }),
  );
  const reasons = [
    { experiment: "x", row: "distilled", than: "base", measures: ["distance"], of: "model", because: "It is so." },
    { experiment: "y", row: "distilled", than: "base", of: "world", because: "Of another experiment." },
  ] as const;

  it("that do not agree have their reason", async () => {
    const table = await tableOf(work, results, readersOf(work), null, reasons);
    expect(table.judgements.map((j) => [j.verdict, j.reason?.because ?? null])).toEqual([
      ["agrees", null],
      ["disagrees", "It is so."],
      ["agrees", null],
    ]);
    expect(reasonsOf(table)).toEqual([
      ["claim", "verdict", "because of", "reason"],
      ["more (CLIP distance)", "disagrees", "the model", "It is so."],
    ]);
  });

  it("are counted where the paper has numbers, and effects are one line each", async () => {
    const table = await tableOf(work, results, readersOf(work), null);
    expect(summaryOf([table])).toBe("Of the paper's 2 comparisons with a number: agrees 1, disagrees 1.");
    // Changes of 0.50 … 0.55: 0.525 ± 2.571 √(0.00175 / 25).
    expect(effectsOf(table)).toEqual([
      ["effect [95 %]", "on base", "above 0"],
      ["pushing", "0.525 [0.503, 0.547]", "agrees 1"],
    ]);
  });
});

describe("rows beside other rows", () => {
  it("are compared with the concept's score, image by image", async () => {
    const { work, results } = worked(
      {
        prompts: ["a 0 1", "b 0 1"],
        seeds: 1,
        rows: [
          { name: "plain", sampling: { mode: "base" } },
          { name: "slid", sampling: { mode: "base" }, concept: "5 0", against: "plain" },
        ],
        measures: ["change", "clip-score"],
      },
      (row) => ({ clip: row === "slid" ? [1, 0] : [3, 4] }),
    );
    const { rows } = await tableOf(work, results, readersOf(work), null);
    // Cosine with the concept: 0.6 before, 1 after; the plain row itself is scored against its prompts.
    expect(rows[1]?.values.change?.mean).toBeCloseTo(100 * (1 / 0.6 - 1), 4);
    expect(rows[0]?.values["clip-score"]?.mean).toBeCloseTo(80, 4);
    expect(rows[0]?.values.change).toBeNull();
  });

  it("measure commitment in the unit of the first followed row", async () => {
    // The base's seeds are 1 apart, the distilled model's almost nothing: by its own unit it would commit at its last step.
    const { work, results } = worked(
      {
        prompts: ["a 1"],
        seeds: 2,
        rows: [
          { name: "base", sampling: { mode: "base" }, follow: true },
          { name: "distilled", sampling: { mode: "distilled" }, follow: true },
        ],
        measures: ["committed", "committed-level"],
      },
      (row, _, seed) => ({
        clip: row === "base" ? [1 - seed, seed] : [1, seed / 100],
        curve: row === "base" ? [0.9, 0.6, 0] : [0.9, 0.1, 0],
      }),
    );
    const { rows } = await tableOf(work, results, readersOf(work), null);
    expect(rows.map((r) => r.values.committed?.mean)).toEqual([1, 2 / 3]);
    expect(rows.map((r) => r.values["committed-level"]?.mean)).toEqual([0.001, 0.5]);
    expect(rows[1]?.curve?.map((c) => [c.timestep, c.distance.mean])).toEqual([
      [999, 0.9],
      [500, 0.1],
      [1, 0],
    ]);
  });

  it("show how much of the image x0 shows, at the timesteps of the shorter row", async () => {
    const classifier = {
      ...{ classify: async () => [], preparation: "", index: async () => Promise.reject(new Error("not read")) },
      config: { image_size: 4, layers: [], factors: { color: ["red", "blue"] }, words: {}, regress: [] },
    };
    const { work, results } = worked(
      {
        prompts: ["a fox 1", "a cat 1"],
        seeds: 2,
        rows: [{ name: "base", sampling: { mode: "base" }, follow: true }],
        measures: ["first-agreement"],
      },
      (_, __, seed) => {
        const color = seed === 0 ? "red" : "blue";
        // At first all are red, then both are as they end.
        return { clip: [1], curve: [1, 0.5, 0], factors: { color }, steps: [{ color: "red" }, { color }, { color }] };
      },
    );
    const table = await tableOf(work, results, readersOf(work, { ...reader, classifier }), null);
    // First: own 1 of 2, others 1 of 2, so 0; then own 2 of 2, others 0.
    expect(agreementsOf(table)).toEqual([
      ["attributes of x0 as in the image, above chance", "t = 999", "t = 500", "t = 1"],
      ["base", "0.00", "1.00", "1.00"],
    ]);
    expect(table.rows[0]?.values["first-agreement"]?.mean).toBe(0);
  });

  it("read named attributes from prompts, and the rest from images", async () => {
    const classifier = {
      classify: async () => [],
      index: async () => Promise.reject(new Error("not read")),
      preparation: "",
      config: {
        image_size: 4,
        layers: [],
        factors: { color: ["red", "blue"], eyes: [1, 2] },
        words: { eyes: { "1": "one eye", "2": "two eyes" } },
        regress: [],
      },
    };
    const { work, results } = worked(
      {
        prompts: ["a red fox 1", "a fox 1"],
        seeds: 2,
        rows: [{ name: "base", sampling: { mode: "base" } }],
        measures: ["entropy", "accuracy"],
      },
      (_, __, seed) => {
        const certain = packed(Float32Array.of(1 - seed, seed));
        const probabilities = { color: certain, eyes: certain };
        return { clip: [1], factors: { color: seed === 0 ? "red" : "blue", eyes: 1 + seed }, probabilities };
      },
    );
    const { rows } = await tableOf(work, results, readersOf(work, { ...reader, classifier }), null);
    // The first prompt leaves the eyes free (ln 2), the second both; one of two images shows the red that is named.
    expect(rows[0]?.values.entropy?.mean).toBeCloseTo((3 * Math.LN2) / 2, 9);
    expect(rows[0]?.values.accuracy?.mean).toBe(0.5);
  });
});
