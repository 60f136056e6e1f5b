import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { pairNamed } from "../../src/catalogue/index.js";
import { readPairs } from "../../src/catalogue/node/index.js";
import { readTensors } from "../../src/checkpoint/node/index.js";
import { RequestError } from "../../src/errors.js";
import {
  acquireFolder,
  type Definition,
  type ExperimentRequest,
  forecast,
  PAPER,
  paperExperiment,
  parseDefinition,
  referenceFile,
  runExperiments,
} from "../../src/experiments/index.js";
import { sample } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";

const SIZE = { width: 32, height: 24 };
const root = temporaryFolder();

const MINE = {
  name: "mine",
  title: "Mine",
  prompts: ["a cartoon character", "a red cartoon character"],
  seeds: 2,
  rows: [
    { name: "distilled", sampling: { mode: "distilled", size: SIZE } },
    { name: "hybrid", sampling: { mode: "hybrid", switch: 1, size: SIZE } },
  ],
  measures: ["distance", "entropy", "calls"],
  claims: [{ says: "more varied", measure: "distance", row: "hybrid", is: "more", than: "distilled" }],
};
const requestIn = (out: string, ...definitions: unknown[]): ExperimentRequest => ({
  definitions: definitions.map((d) => parseDefinition("x.json", d)),
  out: path.join(root, out),
  command: "variegate experiment",
  threads: 1,
});
const cellsIn = (out: string): string[] =>
  readFileSync(path.join(root, out, "results.jsonl"), "utf8")
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [JSON.parse(line).cell]));

describe("a run of experiments", { timeout: 240_000 }, () => {
  it("generates each cell once, and leaves tables and files", async () => {
    const heard: number[][] = [];
    const { tables, files } = await runExperiments(requestIn("mine", MINE, { ...MINE, name: "again" }), {
      onProgress: (done, total) => heard.push([done, total]),
    });
    expect(tables.map((t) => [t.name, t.rows.map((r) => r.pictures)])).toEqual([
      ["mine", [4, 4]],
      ["again", [4, 4]],
    ]);
    expect(tables[0]?.rows.map((r) => r.values.calls?.mean)).toEqual([4, 4]);
    expect(new Set(cellsIn("mine")).size).toBe(2);
    expect(cellsIn("mine")).toHaveLength(2);
    // Two rows of four images, four calls each.
    expect(heard.filter(([, total]) => total === 32).at(-1)).toEqual([32, 32]);
    expect(readdirSync(path.join(root, "mine")).sort()).toEqual([...files, "results.jsonl", "samples"].sort());
  });

  it("goes on with what a changed definition has in common with the finished one", async () => {
    const before = cellsIn("mine");
    const rows = [...MINE.rows, { name: "k = 2", sampling: { mode: "hybrid", switch: 2, size: SIZE } }];
    const messages: string[] = [];
    const changed = requestIn("mine", { ...MINE, rows });
    await expect(runExperiments(changed)).rejects.toThrow(RequestError);
    await runExperiments({ ...changed, resume: true }, { onMessage: (text) => messages.push(text) });
    expect(messages).toEqual(["2 of 3 cells finished"]);
    expect(cellsIn("mine").slice(0, 2)).toEqual(before);
    expect(cellsIn("mine")).toHaveLength(3);
  });

  it("keeps finished cells when it is aborted, and goes on from them", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const request = requestIn("aborted", MINE);
    const run = runExperiments(request, {
      signal: stop.signal,
      onProgress: (_, __, row) => row === "hybrid" && stop.abort(reason),
    });
    await expect(run).rejects.toBe(reason);
    expect(cellsIn("aborted")).toHaveLength(1);
    expect(existsSync(path.join(root, "aborted", "lock"))).toBe(false);
    const { tables } = await runExperiments({ ...request, resume: true });
    expect(cellsIn("aborted")).toHaveLength(2);
    expect(tables[0]?.rows.map((r) => r.pictures)).toEqual([4, 4]);
  });

  it("writes nothing when it is aborted already, or when a row or the reference cannot be", async () => {
    const out = path.join(root, "nothing");
    const signal = AbortSignal.abort();
    await expect(runExperiments(requestIn("nothing", MINE), { signal })).rejects.toBe(signal.reason);
    const far = { ...MINE, rows: [{ name: "far", sampling: { mode: "hybrid", switch: 9 } }], claims: [] };
    await expect(runExperiments(requestIn("nothing", far))).rejects.toThrow(RequestError);
    const reference = path.join(root, "nowhere");
    await expect(runExperiments({ ...requestIn("nothing", MINE), reference })).rejects.toThrow("nowhere");
    expect(existsSync(out)).toBe(false);
  });

  it("leaves a folder to the run that has it", async () => {
    const release = await acquireFolder(path.join(root, "taken"), {});
    await expect(runExperiments(requestIn("taken", MINE))).rejects.toThrow(RequestError);
    release();
  });

  it("is forecast without writing: cells, images, calls and seconds", async () => {
    const { seconds, ...rest } = await forecast(requestIn("mine", { ...MINE, seeds: 3 }));
    expect(rest).toEqual({ cells: 2, finished: 0, images: 12, calls: 48 });
    expect(seconds).toBeGreaterThan(0);
    expect(await forecast(requestIn("mine", MINE))).toEqual({ cells: 2, finished: 2, images: 0, calls: 0, seconds: 0 });
  });
});

describe("the paper's experiments", { timeout: 240_000 }, () => {
  it("all run on the embedded pair, and every claim has a number", { timeout: 240_000 }, async () => {
    const { trial } = pairNamed("embedded", await readPairs(undefined));
    if (!trial) throw new Error("the embedded pair has a trial");
    // One that a number of the classifier measures, one that a share of values does.
    const controls = [true, false].flatMap(
      (share) => trial.controls.find((c) => c.reads?.includes("=") === share) ?? [],
    );
    expect(controls).toHaveLength(2);
    // The first of the real characters: neighbours of all of them take most of the time.
    const world = await readTensors(fileURLToPath(new URL("../../embedded/world/real.safetensors", import.meta.url)));
    const features = [...world].map(([name, t]) => [name, Array.from({ length: 64 }, (_, i) => sample(t, i).data)]);
    const reference = path.join(root, "real.safetensors");
    writeFileSync(reference, referenceFile(Object.fromEntries(features)));
    const prompts = ["a cartoon character", "a red cartoon character", "a tall cartoon character wearing a crown"];
    const samples = [...prompts, ...prompts].map((prompt, seed) => ({ prompt, seed }));
    const small = (d: Definition): Definition => ({
      ...d,
      rows: d.rows.map((r) => ({ ...r, sampling: { ...r.sampling, size: SIZE } })),
    });
    const definitions = PAPER.map((name) => small(paperExperiment(name, { prompts: samples, images: 6, controls })));
    const { tables } = await runExperiments({ ...requestIn("paper"), definitions, reference });
    expect(tables.map((t) => t.name)).toEqual(PAPER);
    for (const table of tables) {
      for (const row of table.rows) expect(row.pictures).toBeGreaterThanOrEqual(6);
      expect(table.judgements.filter((j) => j.ours === null).map((j) => j.claim.says)).toEqual([]);
    }
    const page = readFileSync(path.join(root, "paper", "report.html"), "utf8");
    expect(page.match(/<svg/g)?.length).toBeGreaterThan(30);
    expect(page.match(/<img src="data:image\/png/g)?.length).toBeGreaterThan(150);
    expect(page).not.toMatch(/(src|href)="http/);
  });
});
