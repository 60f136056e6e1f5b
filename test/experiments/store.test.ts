import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { acquireFolder, cellStore, packed, readResults, unpacked } from "../../src/experiments/store.js";
import { NAMESPACE } from "../../src/files/process.js";
import { temporaryFolder } from "../support/folder.js";

const result = (cell: string) => ({
  cell,
  calls: 4,
  milliseconds: 10,
  workers: 1,
  timesteps: [999],
  pictures: [
    {
      prompt: "a",
      seed: 0,
      features: { clip: packed(Float32Array.of(1, -2.5)) },
      factors: null,
      probabilities: null,
      numbers: null,
      curve: null,
      steps: null,
    },
  ],
});

describe("a folder of results", () => {
  it("gives back what was put in, bit for bit", async () => {
    const dir = temporaryFolder();
    const release = await acquireFolder(dir, {});
    await cellStore(dir).append(result("one"));
    await release();
    const { cells, invalidLines } = await readResults(dir);
    expect(invalidLines).toBe(0);
    expect(cells.get("one")).toEqual(result("one"));
    expect([...unpacked(packed(Float32Array.of(1e-20, 3)))]).toEqual([Math.fround(1e-20), 3]);
  });

  it("loses only a line that was cut in the middle, and what follows stands on its own", async () => {
    const dir = temporaryFolder();
    await (await acquireFolder(dir, {}))();
    const store = cellStore(dir);
    await store.append(result("one"));
    const file = path.join(dir, "results.jsonl");
    appendFileSync(file, JSON.stringify(result("two")).slice(0, 50));
    await store.append(result("three"));
    const { cells, invalidLines } = await readResults(dir);
    expect([...cells.keys()]).toEqual(["one", "three"]);
    expect(invalidLines).toBe(1);
  });

  it("is one run's at a time", async () => {
    const dir = temporaryFolder();
    const release = await acquireFolder(dir, {});
    await expect(acquireFolder(dir, { resume: true })).rejects.toThrow(
      `in use by another run (process ${process.pid} on`,
    );
    await release();
    await (await acquireFolder(dir, { resume: true }))();
  });

  it("is taken over at once from a run that was killed, with what it left half-written", async () => {
    const dir = temporaryFolder();
    // Linux gives no process a number above 2^22.
    const DEAD = 2 ** 22 + 1;
    await (await acquireFolder(dir, {}))();
    const left = [`.report.md.${DEAD}-0123abcd.partial`, path.join("samples", `.one.json.${DEAD}-0123abcd.partial`)];
    for (const name of left) writeFileSync(path.join(dir, name), "half");
    const holder = { host: os.hostname(), namespace: NAMESPACE, process: DEAD, since: "" };
    writeFileSync(path.join(dir, "lock"), JSON.stringify({ token: "x", ...holder }));
    const release = await acquireFolder(dir, {});
    expect(readdirSync(dir, { recursive: true }).sort()).toEqual(["lock", "samples"]);
    await release();
  });

  it("is not taken over from a run on another machine that has just renewed its lock", async () => {
    const dir = temporaryFolder();
    const lock = path.join(dir, "lock");
    const holder = { token: "x", host: "elsewhere", process: 2 ** 22 + 1, since: "" };
    writeFileSync(lock, JSON.stringify(holder));
    await expect(acquireFolder(dir, {})).rejects.toThrow("on elsewhere");
    expect(JSON.parse(readFileSync(lock, "utf8"))).toEqual(holder);
  });

  it("is not written over unless asked", async () => {
    const dir = temporaryFolder();
    const release = await acquireFolder(dir, {});
    await cellStore(dir).append(result("one"));
    await release();
    await expect(acquireFolder(dir, {})).rejects.toThrow(RequestError);
    await (await acquireFolder(dir, { resume: true }))();
    expect((await readResults(dir)).cells.size).toBe(1);
    await (await acquireFolder(dir, { force: true }))();
    expect((await readResults(dir)).cells.size).toBe(0);
  });
});
