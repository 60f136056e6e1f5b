import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { FileError } from "../../src/errors.js";
import {
  calibratedSampling,
  calibrationExperiment,
  recommended,
  type Table,
  verdictOf,
} from "../../src/experiments/index.js";
import { planFor, settingsFor, uncalibrated, withCalibrated } from "../../src/generate/index.js";
import { calibratedOf } from "../../src/open/calibrations.js";
import { forgetCalibration, keepCalibration, openPlanSource } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";

const definition = calibrationExperiment({ prompts: ["a", "b", "c", "d", "e"], seeds: 4, steps: 4 });
type Numbers = readonly [diversity: number, half: number, score: number, calls: number];

/** A table in which rows have these ratios to the distilled model, by name. */
function tableOf(ratios: Readonly<Record<string, Numbers>>): Table {
  const of = (mean: number, half: number) => ({ mean, low: mean - half, high: mean + half, n: 5 });
  const judgements = definition.claims.flatMap((claim) => {
    const [diversity, half, score] = ratios[claim.row] ?? [1, 0.1, 1];
    const ours =
      claim.measure === "distance" ? of(diversity, half) : claim.measure === "clip-score" ? of(score, 0.01) : null;
    return [{ claim, ours, paper: null, verdict: verdictOf(claim.is, ours, 1), reason: null }];
  });
  const rows = definition.rows.map(({ name }) => ({
    ...{ name, x: null, paper: {}, byPrompt: null, curve: null, pictures: 20 },
    values: { calls: { mean: ratios[name]?.[3] ?? 4, low: null, high: null, n: 1 } },
  }));
  const rest = { title: "", found: "", axis: null, prompts: [], seeds: 4, measures: [], paperMeasures: {} };
  return { name: "calibration", ...rest, byPrompt: null, rows, judgements, effects: [], front: null };
}
const best = (ratios: Readonly<Record<string, Numbers>>, budget = 1) =>
  recommended(tableOf(ratios), definition, budget).best?.name ?? null;

describe("the recommendation of a calibration", () => {
  it("is the most diverse setting that is surely more diverse", () => {
    expect(best({ "k = 1, lcm": [1.2, 0.05, 1, 4], "k = 1, ddim": [1.4, 0.05, 1, 4] })).toBe("k = 1, ddim");
    expect(best({ "k = 1, lcm": [1.05, 0.1, 1, 4] })).toBeNull();
  });

  it("takes fewer base steps where more are not told apart", () => {
    expect(best({ "k = 1, lcm": [1.2, 0.1, 1, 4], "k = 2, ddim": [1.3, 0.1, 1, 4] })).toBe("k = 1, lcm");
    expect(best({ "k = 1, lcm": [1.2, 0.1, 1, 4], "k = 2, ddim": [1.5, 0.1, 1, 4] })).toBe("k = 2, ddim");
    expect(best({ "k = 1, lcm": [1.2, 0.1, 1, 4], "k = 1, ddim": [1.25, 0.1, 1, 4] })).toBe("k = 1, ddim");
  });

  it("leaves out what follows prompts less, and what costs more than the budget", () => {
    expect(best({ "k = 1, lcm": [1.2, 0.05, 1, 4], "k = 3, ddim": [2, 0.05, 0.9, 4] })).toBe("k = 1, lcm");
    expect(best({ "2 : 1": [1.5, 0.05, 1, 5] })).toBeNull();
    expect(best({ "2 : 1": [1.5, 0.05, 1, 5] }, 1.25)).toBe("2 : 1");
  });

  it("is the distilled model where nothing qualifies", () => {
    expect(calibratedSampling(recommended(tableOf({}), definition))).toEqual({ mode: "distilled" });
  });

  it("tells what may be better, within the budget, from what is not", () => {
    const table = tableOf({
      "k = 1, lcm": [1.05, 0.1, 1, 4], // the interval has 1 in it
      "k = 1, ddim": [0.9, 0.05, 1, 4], // less diverse
      "k = 2, lcm": [1.4, 0.05, 0.9, 4], // follows prompts less
      "2 : 1": [1.05, 0.1, 1, 5], // over the budget
    });
    const { best, undecided } = recommended(table, definition);
    expect(best).toBeNull();
    const names = undecided.map(({ name }) => name);
    expect(names).toContain("k = 1, lcm");
    expect(names.filter((name) => ["k = 1, ddim", "k = 2, lcm", "2 : 1"].includes(name))).toEqual([]);
  });
});

describe("a file of calibrations", () => {
  it.each([
    ["cut off", '{"pairs": [', /is not JSON: /],
    ["a list", "[]", /is no file of calibrations: expected an object.*; delete it/],
    ["of other fields", '{"pairs": 3}', /is no file of calibrations: pairs: expected a list; delete it/],
  ])("that is %s is named in one line", async (_, text, message) => {
    const file = path.join(temporaryFolder(), "calibrations.json");
    writeFileSync(file, text);
    const reading = calibratedOf(await openPlanSource({}), file);
    await expect(reading).rejects.toBeInstanceOf(FileError);
    await expect(reading).rejects.toThrow(message);
  });

  it("that is a folder is named in one line", async () => {
    await expect(calibratedOf(await openPlanSource({}), temporaryFolder())).rejects.toThrow(
      /cannot be read \(EISDIR\)/,
    );
  });
});

describe("a stored calibration", () => {
  const file = path.join(temporaryFolder(), "settings", "calibrations.json");
  const numbers = { on: "2026-01-02", about: "k = 2", diversity: null, adherence: null, prompts: 16, seeds: 16 };

  it("is the default of its pair alone, as a whole, and is forgotten", async () => {
    const source = await openPlanSource({});
    const lcm = await openPlanSource({ pair: "embedded-lcm" });
    const sampling = { mode: "hybrid", switch: 2, handoff: "ddim" } as const;
    await keepCalibration(source, { ...numbers, sampling }, file);
    expect(await calibratedOf(lcm, file)).toBeNull();
    const calibrated = await calibratedOf(source, file);
    expect(calibrated?.sampling).toEqual(sampling);
    const pair = { ...source, calibrated };
    expect(planFor(pair, {})).toEqual(planFor(source, { switch: 2, handoff: "ddim" }));
    expect(settingsFor(pair, {}).switch).toEqual({ value: 2, from: "calibrated", on: "2026-01-02" });
    expect(withCalibrated(pair, {})).toEqual(sampling);
    for (const asked of [{ switch: 1 }, { handoff: "lcm" }, { mode: "distilled" }, { baseGuidance: 2 }] as const) {
      expect(planFor(pair, asked)).toEqual(planFor(source, asked));
    }
    const auto = { ...pair, row: null };
    expect(withCalibrated(auto, { switch: "auto", baseGuidance: 2 })).toEqual({ ...sampling, baseGuidance: 2 });
    expect(settingsFor(auto, { switch: "auto" }).handoff).toEqual({
      value: "ddim",
      from: "calibrated",
      on: "2026-01-02",
    });
    expect(uncalibrated(auto, { switch: "auto" })).toBeNull();
    expect(() => planFor(auto, { switch: "auto", ratio: { base: 2, distilled: 1 } })).toThrow(/leave out --ratio/);
    expect(await forgetCalibration(source, file)).toBe(true);
    expect(await forgetCalibration(source, file)).toBe(false);
    expect(await calibratedOf(source, file)).toBeNull();
  });

  it("may say that no hybrid helps", async () => {
    const source = await openPlanSource({});
    const pair = { ...source, calibrated: { ...numbers, sampling: { mode: "distilled" } as const } };
    expect(planFor(pair, {})).toEqual(planFor(source, { mode: "distilled" }));
    expect(planFor(pair, { mode: "hybrid" })).toEqual(planFor(source, { mode: "hybrid" }));
    expect(planFor(pair, { switch: "auto" })).toEqual(planFor(source, { mode: "distilled" }));
    expect(planFor(pair, { mode: "hybrid", switch: "auto" })).toEqual(planFor(source, { switch: 0 }));
  });

  it("is not there at first: auto takes the pair's own number of steps, else one, and says so", async () => {
    const source = await openPlanSource({});
    expect(planFor(source, { switch: "auto" })).toEqual(planFor(source, { switch: 1 }));
    expect(uncalibrated(source, { switch: "auto" })).toMatch(
      /1 step, the default; variegate calibrate --pair embedded /,
    );
    expect(uncalibrated(source, {})).toBeNull();
    expect(uncalibrated(source, { mode: "distilled", switch: "auto" })).toBeNull();
    const own = { ...source, row: source.row && { ...source.row, switch: 2 } };
    expect(settingsFor(own, { switch: "auto" }).switch).toEqual({ value: 2, from: "pair", pair: "embedded" });
    expect(uncalibrated(own, { switch: "auto" })).toBeNull();
  });
});
