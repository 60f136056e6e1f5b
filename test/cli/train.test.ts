import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));
const PROMPTS = [
  ...["--concept", "a cartoon character", "--positive", "a smiling cartoon character"],
  ...["--negative", "a sad cartoon character"],
];
/** A run of few small updates of the distilled model. */
const SMALL = ["train", "slider", ...PROMPTS, "--on", "distilled", "--batch", "1", "--rank", "2", "--layers", "xattn"];
const fresh = () => path.join(temporaryFolder(), "run");
const eventsOf = (out: string) =>
  readFileSync(path.join(out, "events.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("variegate train slider", { timeout: 240_000 }, () => {
  const whole = fresh();

  it("writes a slider in two formats that changes the model", async () => {
    const { status, stdout } = await runProgram([...SMALL, "--iterations", "4", "--out", whole, "--json"]);
    expect(status).toBe(0);
    const updates = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter((e) => e.type === "update");
    expect(updates.map((e) => [e.update, e.updates])).toEqual([1, 2, 3, 4].map((n) => [n, 4]));
    for (const { loss, norm } of updates) {
      expect(loss).toBeGreaterThan(0);
      expect(norm).toBeGreaterThan(0);
    }
    expect(readdirSync(whole).sort()).toEqual([
      "checkpoint.safetensors",
      "events.jsonl",
      "run.json",
      "samples",
      "slider.kohya.safetensors",
      "slider.safetensors",
    ]);
    const images = [];
    for (const file of ["slider.safetensors:3", "slider.kohya.safetensors:3", "slider.safetensors:0"]) {
      const out = fresh();
      const words = ["generate", "a cartoon character", "--mode", "distilled", "--lora", path.join(whole, file)];
      expect((await runProgram([...words, "--out", out])).status).toBe(0);
      images.push(await sharp(path.join(out, "0.png")).raw().toBuffer());
    }
    const [peft, kohya, off] = images;
    const apart = (other: Buffer | undefined) =>
      Math.max(...[...(other ?? [])].map((v, i) => Math.abs(v - (peft?.[i] ?? 0))));
    expect(apart(kohya)).toBeLessThanOrEqual(1);
    expect(apart(off)).toBeGreaterThan(1);
  });

  it("goes on after Ctrl-C, to the same slider to the bit", async () => {
    const out = fresh();
    const words = [...SMALL, "--iterations", "4", "--out", out];
    const child = spawn(process.execPath, [BIN, ...words, "--json", "--quiet"], { stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.stdout.once("data", () => child.kill("SIGINT"));
    expect(await ended).toBe(130);
    expect(existsSync(path.join(out, "checkpoint.safetensors"))).toBe(true);
    expect(existsSync(path.join(out, "slider.safetensors"))).toBe(false);
    const done = eventsOf(out).filter((e) => e.type === "update").length;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(4);
    expect((await runProgram(words)).status).toBe(2);
    expect((await runProgram([...words, "--resume"])).status).toBe(0);
    expect(eventsOf(out).filter((e) => e.type === "update")).toHaveLength(4);
    const name = "slider.safetensors";
    expect(readFileSync(path.join(out, name))).toEqual(readFileSync(path.join(whole, name)));
    const other = await runProgram([...words, "--resume", "--strength", "3"]);
    expect([other.status, other.stderr]).toEqual([2, expect.stringContaining("other options")]);
  });

  it("stops when it diverges, and says what to try", async () => {
    const out = fresh();
    const { status, stderr } = await runProgram([
      ...SMALL,
      "--learning-rate",
      "1e30",
      "--iterations",
      "30",
      "--out",
      out,
    ]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/training diverges: the loss of update \d+ is not finite; a smaller --learning-rate/);
  });

  it.each([
    [["--concept", "a character", "--positive", "a happy character"], /--negative/],
    [[...PROMPTS, "--strength", "0"], /strength/],
    [[...PROMPTS, "--pair", "embedded-lora", "--on", "distilled"], /is a LoRA on the base: train --on base/],
    [[...PROMPTS, "--layers", "attention"], /--layers.*noxattn/],
  ] as const)("refuses %j in a line", async (words, said) => {
    const { status, stderr } = await runProgram(["train", "slider", ...words, "--out", fresh()]);
    expect(status).toBeGreaterThan(0);
    expect(stderr).toMatch(said);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });
});
