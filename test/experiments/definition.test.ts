import { describe, expect, it } from "vitest";
import { PAIRS } from "../../src/catalogue/index.js";
import { cellsOf, type Origin } from "../../src/experiments/cell.js";
import { explains } from "../../src/experiments/claims.js";
import { parseDefinition, promptSeeds } from "../../src/experiments/definition.js";
import { PAPER } from "../../src/experiments/fields.js";
import { paperExperiment } from "../../src/experiments/paper.js";

const SMALL = {
  name: "mine",
  title: "Mine",
  prompts: ["a", { prompt: "b", seed: 7 }],
  seeds: 3,
  rows: [
    { name: "base", sampling: { mode: "base" } },
    { name: "hybrid", sampling: { mode: "hybrid", switch: 1 }, against: "base" },
  ],
  measures: ["distance"],
};

const origin = (rows: unknown = [], weights = "w"): Origin => ({
  plan: { rows } as never,
  calls: 4,
  steps: 4,
  weights,
});
const origins = (o: Origin = origin()) => new Map(["base", "hybrid"].map((name) => [name, o]));
const idsOf = (value: unknown, o = origins()) => {
  const definition = parseDefinition("x.json", value);
  return cellsOf(definition, promptSeeds(definition), o).map((c) => c.id);
};

describe("definition", () => {
  it.each([
    [{ ...SMALL, sedes: 3 }, /"sedes" is not a field; did you mean "seeds"/],
    [
      { ...SMALL, rows: [{ ...SMALL.rows[0], sampling: { mode: "bass" } }] },
      /rows\.0\.sampling\.mode is "bass"; expected one of base, distilled, hybrid/,
    ],
    [{ ...SMALL, seeds: 0 }, /seeds/],
    [{ ...SMALL, measures: ["beauty"] }, /measures\.0/],
    [{ ...SMALL, rows: [SMALL.rows[0], SMALL.rows[0]] }, /two rows "base"/],
    [{ ...SMALL, rows: [SMALL.rows[1]] }, /row "base"; its rows are hybrid/],
    [{ ...SMALL, effects: [{ says: "x", measure: "distance", rows: { base: "bass" } }] }, /row "bass"/],
    [{ ...SMALL, claims: [{ says: "x", measure: "distance", row: "base", is: "as much" }] }, /claims\.0\.than/],
    [[], /^x\.json is \[\]; expected an object/],
  ])("refuses what it does not know, by name", (value, message) => {
    expect(() => parseDefinition("x.json", value)).toThrow(message);
  });

  it("accepts earlier names of measures and fields", () => {
    const earlier = {
      ...SMALL,
      rows: [{ ...SMALL.rows[0], reads: "smile", paper: { likeness: 30 } }, SMALL.rows[1]],
      measures: ["judge-distance", "named", "likeness", "reading"],
      paperMeasures: { named: "their own" },
      byPrompt: "judge-distance",
      claims: [{ says: "named likeness", measure: "likeness", row: "base", is: "more", than: "hybrid" }],
    };
    expect(parseDefinition("x.json", earlier)).toMatchObject({
      rows: [{ attribute: "smile", paper: { "clip-score": 30 } }, {}],
      measures: ["classifier-distance", "accuracy", "clip-score", "attribute-change"],
      paperMeasures: { accuracy: "their own" },
      byPrompt: "classifier-distance",
      claims: [{ says: "named likeness", measure: "clip-score" }],
    });
  });

  it("begins a prompt at its own seed", () => {
    const prompts = promptSeeds(parseDefinition("x.json", SMALL));
    expect(prompts.map((p) => p.map((s) => s.seed))).toEqual([
      [0, 1, 2],
      [7, 8, 9],
    ]);
  });

  it("makes every experiment of the paper, all of whose claims speak of its rows", () => {
    const controls = PAIRS[0]?.trial?.controls ?? [];
    const prompts = Array.from({ length: 40 }, (_, seed) => ({ prompt: `prompt ${seed}`, seed }));
    for (const name of PAPER) {
      const definition = paperExperiment(name, { prompts, controls, images: 64 });
      expect(() => parseDefinition(name, JSON.parse(JSON.stringify(definition)))).not.toThrow();
      expect(definition.claims.length).toBeGreaterThan(0);
    }
  });

  it("measures controls of one subject on its own prompts, and everything else on all", () => {
    const controls = PAIRS[0]?.trial?.controls ?? [];
    const prompts = Array.from({ length: 40 }, (_, seed) => ({ prompt: `prompt ${seed}`, seed }));
    const request = { prompts, controls, controlPrompts: ["a person", "a portrait"] };
    expect(paperExperiment("table1", request)).toMatchObject({
      prompts: ["a person", "a portrait"],
      seeds: 64,
    });
    expect(paperExperiment("table3", request).prompts).toEqual(
      paperExperiment("table3", { prompts, controls }).prompts,
    );
  });
});

describe("reasons of disagreements", () => {
  it("are of claims that there are, each with a different cause for its measures", () => {
    const trial = PAIRS[0]?.trial;
    const prompts = [{ prompt: "a", seed: 0 }];
    const claims = PAPER.flatMap((name) =>
      paperExperiment(name, { prompts, controls: trial?.controls ?? [] }).claims.map((claim) => ({ name, claim })),
    );
    for (const reason of trial?.reasons ?? []) {
      expect(
        claims.some(({ name, claim }) => explains(reason, name, claim)),
        `${reason.experiment}: ${reason.row} ÷ ${reason.than}`,
      ).toBe(true);
    }
    for (const { name, claim } of claims) {
      expect((trial?.reasons ?? []).filter((r) => explains(r, name, claim)).length, claim.says).toBeLessThanOrEqual(1);
    }
  });
});

describe("claims with a number of the paper", () => {
  it("are those whose two rows have one, the CLIP score of sliders among them", () => {
    const { controls = [] } = PAIRS[0]?.trial ?? {};
    const counted = PAPER.map((name) => {
      const { rows, claims } = paperExperiment(name, { prompts: [{ prompt: "a", seed: 0 }], controls });
      const known = (row: string | undefined, m: string) =>
        Object.keys(rows.find((r) => r.name === row)?.paper ?? {}).includes(m);
      return [name, claims.filter((c) => known(c.row, c.measure) && known(c.than, c.measure)).length];
    });
    expect(Object.fromEntries(counted)).toEqual({
      ...{ table1: 1, table2: 5, table3: 3, table4: 3 },
      ...{ fig5: 0, fig7a: 0, fig7b: 0, fig7c: 0, swaps: 0 },
    });
  });
});

describe("cells", () => {
  it("are the same for the same content and others for other content", () => {
    const ids = idsOf(SMALL);
    expect(idsOf(SMALL)).toEqual(ids);
    expect(idsOf({ ...SMALL, title: "Other", measures: ["distance", "entropy"] })).toEqual(ids);
    expect(idsOf({ ...SMALL, seeds: 4 })).not.toEqual(ids);
    expect(idsOf(SMALL, origins(origin([], "other weights")))).not.toEqual(ids);
    expect(idsOf(SMALL, origins(origin([1])))).not.toEqual(ids);
  });

  it("keep what a longer list of rows shares with a shorter one", () => {
    const longer = { ...SMALL, rows: [...SMALL.rows, { name: "guided", sampling: { mode: "base", guidance: 9 } }] };
    const more = new Map([...origins(origin([1])), ["guided", origin([2])]]);
    expect(idsOf(longer, more)).toEqual(expect.arrayContaining(idsOf(SMALL, origins(origin([1])))));
  });

  it("hold every picture once, 64 at most, rows side by side", () => {
    const prompts = Array.from({ length: 5 }, (_, p) => `prompt ${p}`);
    for (const seeds of [1, 20, 64, 100, 200]) {
      const definition = parseDefinition("x.json", { ...SMALL, prompts, seeds });
      const o = new Map([
        ["base", origin([1])],
        ["hybrid", origin([2])],
      ]);
      const cells = cellsOf(definition, promptSeeds(definition), o);
      for (const row of ["base", "hybrid"]) {
        const own = cells.filter((c) => c.row.name === row).flatMap((c) => c.samples);
        expect(new Set(own.map((s) => `${s.prompt} ${s.seed}`)).size).toBe(5 * seeds);
        expect(own.length).toBe(5 * seeds);
      }
      expect(Math.max(...cells.map((c) => c.samples.length))).toBeLessThanOrEqual(64);
      expect(cells[0]?.samples).toEqual(cells[1]?.samples);
    }
  });
});
