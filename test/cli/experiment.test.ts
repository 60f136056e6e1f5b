import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parquetReadObjects } from "hyparquet";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { temporaryFolder } from "../support/folder.js";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));
const root = temporaryFolder();
const folder = (name: string) => path.join(root, name);

function variegate(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, "experiment", ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

const MINE = {
  name: "mine",
  title: "Mine",
  prompts: ["a cartoon character", "a red cartoon character"],
  seeds: 4,
  rows: [
    { name: "distilled", sampling: { mode: "distilled" } },
    { name: "hybrid", sampling: { mode: "hybrid", switch: 1 } },
  ],
  measures: ["distance", "entropy", "calls"],
  claims: [{ says: "more varied", measure: "distance", row: "hybrid", is: "more", than: "distilled" }],
};

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

describe("variegate experiment", () => {
  it("runs all eight tables and figures of the paper", { timeout: 300_000 }, async () => {
    const out = folder("all");
    const { status, stdout, stderr } = variegate("all", "--images", "12", "--out", out, "--quiet");
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain("the paper's claim");
    const { tables } = resultsIn(out);
    expect(tables.map((t) => t.name)).toEqual([
      "table1",
      "table2",
      "table3",
      "table4",
      "fig5",
      "fig7a",
      "fig7b",
      "fig7c",
    ]);
    for (const table of tables) {
      for (const row of table.rows) expect(row.pictures).toBeGreaterThanOrEqual(12);
      expect(table.judgements.filter((j) => j.verdict === "not measured")).toEqual([]);
    }
    const page = readFileSync(path.join(out, "report.html"), "utf8");
    expect(page.match(/<svg/g)?.length).toBeGreaterThan(30);
    expect(page.match(/<img src="data:image\/png/g)?.length).toBeGreaterThan(200);
    expect(page).not.toMatch(/(src|href)="http/);
    expect(readFileSync(path.join(out, "report.md"), "utf8")).toContain("| hybrid |");
    const parquet = readFileSync(path.join(out, "results.parquet"));
    const pictures = await parquetReadObjects({ file: new Uint8Array(parquet).buffer });
    expect(pictures.length).toBe(tables.flatMap((t) => t.rows).reduce((n, r) => n + r.pictures, 0));
    expect(pictures[0]).toMatchObject({ experiment: "table1", row: "base" });
    expect(existsSync(path.join(out, "lock")) || existsSync(path.join(out, "claims"))).toBe(false);
  });

  it("goes on after kill -9, with nothing but the cell in work lost", async () => {
    // Cells of 64 pictures: two rows, three prompts.
    const file = written("long", {
      ...MINE,
      prompts: ["a", "b", "c"].map((p) => `a cartoon character ${p}`),
      seeds: 64,
    });
    const out = folder("killed");
    const child = spawn(process.execPath, [BIN, "experiment", "run", file, "--out", out, "--quiet"]);
    const log = path.join(out, "results.jsonl");
    while (!existsSync(log) || linesIn(out).length < 2) await sleep(20);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    const before = linesIn(out).length;
    expect(before).toBeLessThan(6);
    // What a kill in the middle of writing leaves.
    writeFileSync(log, '\n{"cell": "cut', { flag: "a" });

    const refused = variegate("run", file, "--out", out);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain("--resume goes on with them");

    const { status, stderr } = variegate("run", file, "--out", out, "--resume");
    expect(status).toBe(0);
    expect(stderr).toContain("1 spoilt lines in results.jsonl");
    expect(stderr).toContain(`${before} of 6 cells are there already`);
    expect(resultsIn(out).tables[0]?.rows.map((r) => r.pictures)).toEqual([192, 192]);
  });

  it("uses again what a changed definition has in common with the old one", () => {
    const out = folder("changed");
    expect(variegate("run", written("first", MINE), "--out", out, "--quiet").status).toBe(0);
    const rows = [...MINE.rows, { name: "k = 2", sampling: { mode: "hybrid", switch: 2 } }];
    const changed = variegate("run", written("second", { ...MINE, rows }), "--out", out, "--resume");
    expect(changed.status).toBe(0);
    expect(changed.stderr).toContain("2 of 3 cells are there already");
    expect(linesIn(out).length).toBe(3);
  });

  it("gives the same numbers with several workers", () => {
    const file = written("shared", { ...MINE, seeds: 64 });
    const [one, two] = [folder("one"), folder("two")];
    expect(variegate("run", file, "--out", one, "--quiet").status).toBe(0);
    expect(variegate("run", file, "--out", two, "--quiet", "--workers", "2").status).toBe(0);
    expect(new Set(linesIn(two).map((line) => JSON.parse(line).cell))).toEqual(
      new Set(linesIn(one).map((line) => JSON.parse(line).cell)),
    );
    const close = z.object({ mean: z.number() });
    for (const [i, row] of (resultsIn(one).tables[0]?.rows ?? []).entries()) {
      const other = resultsIn(two).tables[0]?.rows[i];
      for (const measure of ["distance", "entropy"]) {
        // Products of another number of threads are added up in another order.
        expect(close.parse(row.values[measure]).mean).toBeCloseTo(close.parse(other?.values[measure]).mean, 3);
      }
    }
  });

  it("says what it would do without writing anything", () => {
    const out = folder("dry");
    const { status, stdout } = variegate("table3", "--images", "32", "--dry-run", "--out", out, "--json");
    expect(status).toBe(0);
    const forecast = JSON.parse(stdout);
    expect(forecast).toMatchObject({ type: "forecast", cells: 3, there: 0, pictures: 96, calls: 32 * (50 + 4 + 4) });
    expect(forecast.seconds).toBeGreaterThan(0);
    expect(existsSync(out)).toBe(false);
  });

  it("reads prompts with their seeds", () => {
    const file = folder("coco.csv");
    writeFileSync(
      file,
      'case_number,prompt,evaluation_seed\n0,"a red, smiling cartoon character",5\n1,a cartoon character,9\n',
    );
    const out = folder("coco");
    expect(variegate("table4", "--prompts", file, "--images", "2", "--out", out, "--quiet").status).toBe(0);
    const seeds = linesIn(out).flatMap((line) => JSON.parse(line).pictures.map((p: { seed: number }) => p.seed));
    expect(new Set(seeds)).toEqual(new Set([5, 9]));
  });

  it.each([
    [["table9"], "expected table1, table2"],
    [["table3", "file.json"], "experiment table3 takes no file"],
    [["run"], "needs a FILE.json"],
    [["run", "nowhere.json"], "nowhere.json"],
    [["table3", "--images", "1"], "at least 2"],
    [["table3", "--prompts", "nowhere.csv"], "nowhere.csv"],
    [["table3", "--prompts", "list.xlsx"], "give a .csv or .txt file"],
    [["table2", "--reference", "nowhere", "--images", "2"], "nowhere: there is no such file or folder"],
    [["table3", "--pair", "embeded"], "the nearest are embedded"],
    [["table1", "--slider", "smile.base"], "such as"],
  ])("refuses %j", (args, message) => {
    const { status, stderr } = variegate(...args, "--out", folder("refused"), "--quiet");
    expect([2, 3]).toContain(status);
    expect(stderr).toContain(message);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });

  it("names the field that a definition has wrong, before anything is written", () => {
    const out = folder("wrong");
    const { status, stderr } = variegate("run", written("wrong", { ...MINE, sedes: 3 }), "--out", out);
    expect(status).toBe(2);
    expect(stderr).toContain('Unrecognized key: "sedes"');
    const bad = { ...MINE, rows: [{ name: "far", sampling: { mode: "hybrid", switch: 9 } }] };
    const beyond = variegate("run", written("beyond", { ...bad, claims: [] }), "--out", out);
    expect(beyond.status).toBe(2);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(root)).not.toContain("wrong");
  });
});
