import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";
import { apart, expectGoesOn, fresh, imageWith, pixelsOf, trained } from "../support/training.js";

const pictures = fresh();
/** A run of four small updates. */
const small = (...words: readonly string[]) => [
  ...["train", "lora", pictures, "--iterations", "4", "--batch", "2", "--rank", "2", "--sample-every", "2"],
  ...["--class-prompt", "a cartoon character", "--class-images", "2", "--on", "distilled", ...words],
];
describe("variegate train lora", { timeout: 240_000 }, () => {
  const whole = fresh();

  beforeAll(async () => {
    // Two sizes, so that batches come from two buckets; captions are those that the images record.
    for (const [size, seeds] of [
      ["64", "0,1"],
      ["80x48", "2,3"],
    ] as const) {
      const out = fresh();
      const words = ["a red cartoon character", "--mode", "distilled", "--size", size, "--seeds", seeds];
      expect((await runProgram(["generate", ...words, "--out", out])).status).toBe(0);
      mkdirSync(pictures, { recursive: true });
      for (const file of readdirSync(out).filter((f) => f.endsWith(".png")))
        cpSync(path.join(out, file), path.join(pictures, file));
    }
  });

  it("writes a LoRA in two formats that changes the model, its own images of the class, and samples", async () => {
    const updates = await trained(small("--out", whole));
    expect(updates.map((e) => [e.update, e.updates])).toEqual([1, 2, 3, 4].map((n) => [n, 4]));
    expect(readdirSync(path.join(whole, "class")).sort()).toEqual(["0.png", "1.png"]);
    expect(readdirSync(path.join(whole, "samples"))).toHaveLength(3 * 4);
    const sample = (update: string) => pixelsOf(path.join(whole, `samples/${update}_0_1.png`));
    expect(await sample("000000")).not.toEqual(await sample("000004"));
    const { from, updates: made } = JSON.parse(readFileSync(path.join(whole, "run.json"), "utf8"));
    expect(from).toHaveLength(4);
    expect(from[0]).toMatchObject({ file: "0.png", caption: "a red cartoon character" });
    expect(made).toBe(4);
    const lora = (file: string) => imageWith("--lora", path.join(whole, file));
    const peft = await lora("lora.safetensors:3");
    expect(apart(peft, await lora("lora.kohya.safetensors:3"))).toBeLessThanOrEqual(1);
    expect(apart(peft, await lora("lora.safetensors:0"))).toBeGreaterThan(1);
  });

  it("goes on after Ctrl-C, to the same LoRA to the bit", async () => {
    const out = fresh();
    const words = small("--out", out);
    await expectGoesOn(words, { out, whole, updates: 4, files: ["lora.safetensors", "samples/000004_0_3.png"] });
    writeFileSync(path.join(pictures, "0.txt"), "another caption");
    const other = await runProgram([...words, "--resume", "--caption", "another caption"]);
    expect([other.status, other.stderr]).toEqual([2, expect.stringContaining("other options")]);
  });

  it("computes values again with --recompute, and prints memory against time", async () => {
    const words = small("--recompute", "--sample-every", "0", "--rank", "1", "--out", fresh());
    const { status, stdout } = await runProgram(words);
    expect(status).toBe(0);
    const [, less, kept] =
      /memory {2}about (\d+) MB for the values of an update, (\d+) MB without --recompute; \d+ ms an update\n/.exec(
        stdout,
      ) ?? [];
    expect(Number(less)).toBeLessThan(0.75 * Number(kept));
  });

  it("replaces keys and values of cross-attention with --custom-diffusion", async () => {
    const out = fresh();
    const words = ["train", "lora", pictures, "--iterations", "3", "--sample-every", "0", "--custom-diffusion"];
    const { status, stdout } = await runProgram([...words, "--out", out]);
    expect([status, stdout]).toEqual([0, expect.stringContaining("lora.safetensors (Custom Diffusion")]);
    const { status: found, stdout: facts } = await runProgram([
      "adapter",
      "inspect",
      path.join(out, "lora.safetensors"),
    ]);
    expect([found, facts]).toEqual([
      0,
      expect.stringMatching(/14 × replacement · Custom Diffusion[\s\S]*all keys match/),
    ]);
    const at = (scale: number) => imageWith("--lora", `${path.join(out, "lora.safetensors")}:${scale}`);
    expect(apart(await at(5), await at(0))).toBeGreaterThan(1);
  });

  it.each([
    ["--custom-diffusion", "--class-prompt", "a cartoon character", "--class-images", "2"],
    ["--rank", "2"],
  ])("trains a token together with %j…", async (...words) => {
    const out = fresh();
    const run = ["train", "lora", pictures, "--iterations", "4", "--batch", "2", "--sample-every", "2", ...words];
    const token = ["--token", "<red>", "--initialize", "red", "--vectors", "2"];
    const { status, stdout } = await runProgram([...run, ...token, "--out", out]);
    const [adapter, embedding] = ["lora.safetensors", "embedding.safetensors"].map((file) => path.join(out, file));
    expect([status, stdout]).toEqual([
      0,
      expect.stringContaining(`--lora ${adapter} --embedding "${embedding}=<red>"`),
    ]);
    const { from } = JSON.parse(readFileSync(path.join(out, "run.json"), "utf8"));
    expect(from[0].caption).toBe("a photo of <red>");
    const sample = (update: string) => pixelsOf(path.join(out, `samples/${update}_0_1.png`));
    expect(await sample("000000")).not.toEqual(await sample("000004"));
    const prompt = ["generate", "a photo of <red>", "--mode", "base", "--base-steps", "4", "--lora", `${adapter}`];
    const use = await runProgram([...prompt, "--embedding", `${embedding}=<red>`, "--out", fresh()]);
    expect([use.status, use.stderr]).toEqual([0, expect.not.stringContaining("<red>")]);
  });

  it.each([
    [["--vectors", "2"], 2, /--vectors needs --token beside it/],
    [["--token", "<pip>", "--caption", "a cat"], 2, /--caption has no <pip>/],
    [["--token", "character"], 2, /--class-prompt has character, which the model does not know yet/],
    [["--custom-diffusion"], 2, /--rank is of a LoRA, not of --custom-diffusion/],
    [["--snr-gamma", "5", "--weighting", "debiased"], 2, /--snr-gamma is that of --weighting min-snr, not of debiased/],
    [["--pair", "embedded-lora"], 2, /is a LoRA on the base: train --on base/],
    [["--weighting", "snr"], 2, /--weighting.*min-snr/],
    [["--size", "1024"], 3, /is tiny beside 1024 × 1024/],
  ] as const)("refuses %j in a line", async (words, code, said) => {
    const out = fresh();
    const { status, stderr } = await runProgram(small(...words, "--out", out));
    expect([status, stderr]).toEqual([code, expect.stringMatching(said)]);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });

  it("refuses options of prior preservation without a class, and a folder without captions", async () => {
    const alone = await runProgram(["train", "lora", pictures, "--class-images", "4"]);
    expect([alone.status, alone.stderr]).toEqual([2, expect.stringMatching(/--class-images needs --class-prompt/)]);
    const bare = temporaryFolder();
    await sharp(path.join(pictures, "0.png")).toFile(path.join(bare, "bare.png"));
    const { status, stderr } = await runProgram(["train", "lora", bare]);
    expect([status, stderr]).toEqual([3, expect.stringMatching(/no caption for 1 of 1 image \(bare\.png\)/)]);
  });
});
