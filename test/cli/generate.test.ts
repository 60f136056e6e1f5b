import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { runGenerate } from "../../src/cli/generate.js";
import type { Terminal } from "../../src/cli/terminal.js";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";

interface Run {
  readonly seconds: number;
  readonly files: readonly { file: string; bytes: number; sha256: string; prompt: number; seed: number }[];
}

const nothing = () => {};
const SILENT: Terminal = {
  json: false,
  print: nothing,
  table: nothing,
  emit: nothing,
  warn: nothing,
  progress: () => ({ update: nothing, stop: nothing }),
};

describe("runGenerate with resume", { timeout: 240_000 }, () => {
  it("makes again what is missing or was changed, and lists and counts every part", async () => {
    const out = path.join(temporaryFolder(), "run");
    const request = { prompts: ["a crown"], seeds: [0, 1, 2, 3], size: { width: 64, height: 48 }, steps: 2 };
    const part = (resume: boolean) =>
      runGenerate(SILENT, {}, request, { out, saveLatents: true, resume }, new AbortController().signal);
    const at = (name: string) => path.join(out, name);
    const run = (): Run => JSON.parse(readFileSync(at("run.json"), "utf8"));
    await part(false);
    const first = run();

    rmSync(at("0.png"));
    writeFileSync(at("1.png"), "no picture");
    rmSync(at("2.safetensors"));
    rmSync(at("run.json"));
    const untouched = readFileSync(at("3.png"));
    await part(true);

    const { files, seconds } = run();
    expect(files.map((f) => f.file)).toEqual([0, 1, 2, 3].flatMap((seed) => [`${seed}.safetensors`, `${seed}.png`]));
    expect(files.map((f) => f.seed)).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    for (const { file, bytes, sha256 } of files) {
      const found = readFileSync(at(file));
      expect([file, found.length, createHash("sha256").update(found).digest("hex")]).toEqual([file, bytes, sha256]);
    }
    expect(readFileSync(at("3.png")).equals(untouched)).toBe(true);
    expect(seconds).toBeGreaterThan(first.seconds);
    expect(readdirSync(out).filter((name) => name.includes("partial"))).toEqual([]);

    const log = readFileSync(at("events.jsonl"), "utf8");
    const done = log.split("\n").flatMap((line) => (line.includes('"done"') ? [JSON.parse(line).images] : []));
    expect(done).toEqual([4, 3]);
  }, 240_000);
});

describe.runIf(process.platform === "linux")("a run that failed before its first image", { timeout: 240_000 }, () => {
  it("leaves its folder to the next run, whatever its options", async () => {
    const out = path.join(temporaryFolder(), "run");
    const words = ["generate", "a crown", "--seeds", "0", "--steps", "2", "--out", out];
    expect(await runProgram([...words, "--device", "dml"])).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(/^dml is not available here/m),
    });
    expect(readdirSync(out)).toEqual([]);
    expect(await runProgram(words)).toMatchObject({ status: 0 });
    // One that has an image keeps it.
    expect(await runProgram([...words, "--device", "dml"])).toMatchObject({ status: 2 });
    expect(readdirSync(out)).toContain("0.png");
  });
});
