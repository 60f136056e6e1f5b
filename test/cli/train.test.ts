import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";
import { apart, expectGoesOn, fresh, imageWith, trained, updatesOf } from "../support/training.js";

const PROMPTS = [
  ...["--concept", "a cartoon character", "--positive", "a smiling cartoon character"],
  ...["--negative", "a sad cartoon character"],
];
/** A run of few small updates of the distilled model. */
const SMALL = ["train", "slider", ...PROMPTS, "--on", "distilled", "--batch", "1", "--rank", "2", "--layers", "xattn"];
describe("variegate train slider", { timeout: 240_000 }, () => {
  const whole = fresh();

  it("writes a slider in two formats that changes the model", async () => {
    const updates = await trained([...SMALL, "--iterations", "4", "--out", whole]);
    expect(updates.map((e) => [e.update, e.updates])).toEqual([1, 2, 3, 4].map((n) => [n, 4]));
    expect(readdirSync(whole).sort()).toEqual([
      "checkpoint.safetensors",
      "events.jsonl",
      "index.html",
      "run.json",
      "samples",
      "slider.kohya.safetensors",
      "slider.safetensors",
    ]);
    const page = readFileSync(path.join(whole, "index.html"), "utf8");
    expect(page).toContain("4 of 4 updates, finished");
    // Loss and gradient norm; samples of five states at two scales with four seeds; a finished run stays as it is.
    expect(page.match(/<svg/g)).toHaveLength(2);
    expect(page.match(/<img src="samples\//g)).toHaveLength(5 * 2 * 4);
    expect(page).not.toContain("location.reload");
    const slider = (file: string) => imageWith("--lora", path.join(whole, file));
    const peft = await slider("slider.safetensors:3");
    expect(apart(peft, await slider("slider.kohya.safetensors:3"))).toBeLessThanOrEqual(1);
    expect(apart(peft, await slider("slider.safetensors:0"))).toBeGreaterThan(1);
  });

  it("goes on after Ctrl-C, to the same slider to the bit", async () => {
    const out = fresh();
    const words = [...SMALL, "--iterations", "4", "--out", out];
    await expectGoesOn(words, { out, whole, updates: 4, files: ["slider.safetensors"] });
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
    // There may be no checkpoint yet.
    expect(stderr).not.toContain("checkpoint");
  });

  it("reads the official trainer's rows, and trains with its arithmetic", async () => {
    const yaml = path.join(temporaryFolder(), "prompts.yaml");
    const row = { target: "a cartoon character", positive: "a smiling cartoon character", resolution: 64 };
    const rows = [
      { ...row, unconditional: "a sad cartoon character", neutral: row.target, action: "enhance", guidance_scale: 4 },
    ];
    writeFileSync(yaml, JSON.stringify(rows));
    const words = ["train", "slider", "--prompts", yaml, "--attributes", "red, green", "--iterations", "2"];
    for (const parity of [[], ["--parity"]]) {
      const out = fresh();
      const small = [
        ...words,
        ...parity,
        "--rank",
        "1",
        "--layers",
        "xattn",
        "--type",
        "lierla",
        "--sample-every",
        "0",
      ];
      const { status, stderr } = await runProgram([...small, "--batch", "1", "--out", out]);
      expect([status, stderr]).toEqual([0, expect.not.stringMatching(/error/i)]);
      expect(updatesOf(out)).toHaveLength(2);
      const run = JSON.parse(readFileSync(path.join(out, "run.json"), "utf8"));
      expect(run.from.map((r: { target: string }) => r.target)).toEqual([
        "red a cartoon character",
        "green a cartoon character",
      ]);
    }
  });

  it("trains on pairs of images from two folders", async () => {
    const [more, less] = [fresh(), fresh()];
    for (const [out, prompt] of [
      [more, "a smiling cartoon character"],
      [less, "a sad cartoon character"],
    ] as const) {
      const words = ["generate", prompt, "--mode", "distilled", "--seeds", "0,1", "--out", out];
      expect((await runProgram(words)).status).toBe(0);
    }
    const words = ["train", "slider", "--positive-images", more, "--negative-images", less, "--rank", "1"];
    const out = fresh();
    const few = ["--iterations", "2", "--batch", "1", "--layers", "xattn", "--sample-every", "0"];
    const { status } = await runProgram([...words, "--concept", "a cartoon character", ...few, "--out", out]);
    expect(status).toBe(0);
    expect(existsSync(path.join(out, "slider.safetensors"))).toBe(true);
    const bare = await runProgram(words);
    expect([bare.status, bare.stderr]).toEqual([2, expect.stringMatching(/--concept is missing/)]);
    rmSync(path.join(less, "1.png"));
    const lone = await runProgram([...words, "--concept", "a cartoon character"]);
    expect([lone.status, lone.stderr]).toEqual([2, expect.stringMatching(/has no counterpart of 1\.png/)]);
  });

  it.each([
    [["--concept", "a character", "--positive", "a happy character"], /--negative is missing/],
    [[...PROMPTS, "--prompts", "x.yaml"], /--prompts and --positive exclude each other/],
    [[...PROMPTS, "--parity", "--on", "distilled"], /--parity is the official trainer, which trains the base/],
    [["--prompts", "none.yaml"], /none\.yaml: there is no such file/],
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
