import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parquetReadObjects } from "hyparquet";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { temporaryFolder } from "../support/folder.js";
import { expectPictures, expectSelfContained, openPage } from "../support/page.js";
import { runProgram } from "../support/program.js";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));
const root = temporaryFolder();
const folder = (name: string) => path.join(root, name);

const variegate = (...args: string[]) => runProgram(["experiment", ...args]);

const PROMPTS = ["a cartoon character", "a red cartoon character"];
/** One cell for each row, of two small images. */
const rows = (n: number) =>
  Array.from({ length: n }, (_, i) => ({
    name: `row ${i}`,
    sampling: { mode: "hybrid", switch: 1, baseGuidance: i / 10, size: { width: 32, height: 24 } },
  }));
const definition = (n: number) => ({
  name: "mine",
  title: "Mine",
  prompts: PROMPTS,
  seeds: 2,
  rows: rows(n),
  measures: ["distance", "entropy", "calls"],
  claims: [{ says: "more varied", measure: "distance", row: "row 0", is: "more", than: "row 1" }],
});

function written(name: string, value: unknown): string {
  const file = folder(`${name}.json`);
  writeFileSync(file, JSON.stringify(value));
  return file;
}

const results = z.object({
  tables: z.array(
    z.object({
      name: z.string(),
      rows: z.array(z.object({ name: z.string(), pictures: z.number(), values: z.record(z.string(), z.unknown()) })),
      judgements: z.array(z.object({ verdict: z.string() })),
    }),
  ),
});
const resultsIn = (out: string) => results.parse(JSON.parse(readFileSync(path.join(out, "results.json"), "utf8")));
const linesIn = (out: string) =>
  readFileSync(path.join(out, "results.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "");

describe("variegate experiment", { timeout: 240_000 }, () => {
  it("runs an experiment of the paper over a list of prompts, and writes its report", async () => {
    const list = folder("coco.csv");
    writeFileSync(
      list,
      'case_number,prompt,evaluation_seed\n0,"a red, smiling cartoon character",5\n1,a cartoon character,9\n',
    );
    const out = folder("table4");
    const { status, stdout, stderr } = await variegate("table4", "--prompts", list, "--out", out, "--quiet");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^claim .*here/m);
    expect(stdout).toContain("first timestep left out");
    const [table] = resultsIn(out).tables;
    expect(table?.rows.map((r) => [r.name, r.pictures])).toEqual([
      ["hybrid", 2],
      ["first timestep left out", 2],
    ]);
    const parquet = readFileSync(path.join(out, "results.parquet"));
    const images = await parquetReadObjects({ file: new Uint8Array(parquet).buffer });
    expect(images.map(({ experiment, row, prompt, seed }) => [experiment, row, prompt, seed])).toEqual(
      ["hybrid", "first timestep left out"].flatMap((row) => [
        ["table4", row, "a red, smiling cartoon character", 5],
        ["table4", row, "a cartoon character", 9],
      ]),
    );
    expect(readFileSync(path.join(out, "report.md"), "utf8")).toContain("| hybrid |");
    const page = openPage(path.join(out, "report.html"));
    expectSelfContained(page);
    expect(expectPictures(page.images())).toBeGreaterThan(0);
    expect(page.bytes).toBeLessThan(3e6);
    expect(page.text("h2#table4")).toMatch(/\w/);
    expect(page.text("table")).toContain("hybrid");
    expect(readdirSync(out)).not.toEqual(expect.arrayContaining([expect.stringMatching(/lock|queue/)]));
  });

  it("goes on after kill -9, with nothing but the cell in work lost", async () => {
    const file = written("long", definition(16));
    const out = folder("killed");
    const child = spawn(process.execPath, [BIN, "experiment", "run", file, "--out", out, "--quiet"]);
    const log = path.join(out, "results.jsonl");
    while (!existsSync(log) || linesIn(out).length < 2) await sleep(5);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    const before = linesIn(out).length;
    expect(before).toBeLessThan(16);
    // What a kill in the middle of writing leaves.
    writeFileSync(log, '\n{"cell": "cut', { flag: "a" });

    const refused = await variegate("run", file, "--out", out);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain("--resume");

    const { status, stderr } = await variegate("run", file, "--out", out, "--resume");
    expect(status).toBe(0);
    expect(stderr).toContain("1 invalid lines in results.jsonl");
    expect(stderr).toContain(`${before} of 16 cells finished`);
    expect(resultsIn(out).tables[0]?.rows.map((r) => r.pictures)).toEqual(rows(16).map(() => 4));
  });

  it("gives the same numbers with several workers", async () => {
    const file = written("shared", definition(4));
    const [one, two] = [folder("one"), folder("two")];
    // Products of another number of threads are added up in another order.
    const words = ["run", file, "--threads", "1", "--quiet", "--out"];
    expect((await variegate(...words, one)).status).toBe(0);
    expect((await variegate(...words, two, "--workers", "2")).status).toBe(0);
    const cellsIn = (out: string) => linesIn(out).map((line) => JSON.parse(line).cell);
    expect(cellsIn(two).sort()).toEqual(cellsIn(one).sort());
    const measured = z.object({ mean: z.number() });
    for (const [i, row] of (resultsIn(one).tables[0]?.rows ?? []).entries()) {
      const other = resultsIn(two).tables[0]?.rows[i];
      for (const measure of ["distance", "entropy"]) {
        expect(measured.parse(row.values[measure]).mean).toBe(measured.parse(other?.values[measure]).mean);
      }
    }
  });

  it("forecasts a run without writing anything", async () => {
    const out = folder("dry");
    const { status, stdout } = await variegate("table3", "--images", "32", "--dry-run", "--out", out, "--json");
    expect(status).toBe(0);
    const forecast = JSON.parse(stdout);
    expect(forecast).toMatchObject({ type: "forecast", cells: 3, finished: 0, images: 96, calls: 32 * (50 + 4 + 4) });
    expect(forecast).toMatchObject({ there: 0, pictures: 96 });
    expect(forecast.seconds).toBeGreaterThan(0);
    expect(existsSync(out)).toBe(false);
  });

  it.each([
    ["table3", "5", "table3 has 6 images in each row, 2 prompts × 3 seeds, not the 5 of --images\n"],
    ["front", "7", "front has 12 images in each row, 3 prompts × 4 seeds, not the 7 of --images\n"],
    ["front", "8", ""],
  ])("says where the rows of %s cannot have %s images", async (name, images, text) => {
    const { status, stderr } = await variegate(name, "--images", images, "--dry-run", "--out", folder("uneven"));
    expect({ status, stderr: stderr.replaceAll(/^.*(?:%|…).*\n/gm, "") }).toEqual({ status: 0, stderr: text });
  });

  it("prints the cost of a calibration as a result", async () => {
    const { status, stdout } = await runProgram(["calibrate", "--count", "5", "--seeds", "2", "--dry-run", "--quiet"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^8 settings, 5 prompts × 2 seeds: 80 images, /);
  });

  it("names the measures of a definition that no instrument or row gives, before it runs", async () => {
    const file = written("unmeasured", { ...definition(2), measures: ["distance", "dreamsim-distance", "committed"] });
    const { status, stderr } = await variegate("run", file, "--dry-run", "--out", folder("unmeasured"));
    expect(status).toBe(0);
    expect(stderr).toContain("dreamsim-distance is not measured without --dreamsim\n");
    expect(stderr).toContain('committed is not measured: no row has "follow"\n');
    expect(stderr).not.toContain("\ndistance is");
  });

  it.each([
    [["table3", "--dry-run", "--attributes", "nowhere.json"], "nowhere.json: there is no such file"],
    [["table3", "--dry-run", "--reference", "nowhere"], "nowhere: there is no such file or folder"],
    [["table3", "--images", "4", "--attributes", "nowhere.json"], "nowhere.json: there is no such file"],
    [["table9"], "expected table1, table2"],
    [["table3", "file.json"], "experiment table3 takes no file"],
    [["run"], "needs a FILE.json"],
    [["run", "nowhere.json"], "nowhere.json"],
    [["run", written("wrong", { ...definition(2), sedes: 3 })], '"sedes" is not a field'],
    [["table3", "--images", "1"], "at least 2"],
    [["table1", "--slider", "smile.base"], "such as"],
  ])("refuses %j", async (args, message) => {
    const { status, stderr } = await variegate(...args, "--out", folder("refused"), "--quiet");
    expect([2, 3]).toContain(status);
    expect(stderr).toContain(message);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
    expect(existsSync(folder("refused"))).toBe(false);
  });
});
