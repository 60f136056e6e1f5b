import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { openWeights } from "../../src/checkpoint/node/index.js";
import { temporaryFolder } from "../support/folder.js";
import { EMBEDDED } from "../support/parity.js";
import { runProgram } from "../support/program.js";
import { apart, expectGoesOn, fresh, imageWith, pixelsOf, trained } from "../support/training.js";

const prompts = path.join(temporaryFolder(), "prompts.txt");
writeFileSync(prompts, "a red cartoon character\na cartoon character with a hat\n");
/** A run of few small updates. */
const SMALL = ["train", "distill", "--prompts", prompts, "--batch", "2", "--learning-rate", "0.01"];
const LORA = [...SMALL, "--rank", "2", "--layers", "xattn", "--type", "lierla"];

describe("variegate train distill", { timeout: 240_000 }, () => {
  const whole = fresh();
  const kept = [...LORA, "--keep-diversity", "--anchor", "1", "--fake-updates", "2", "--iterations", "3"];

  it("writes a LoRA in two formats, which opens as the distilled model with the samples of its run", async () => {
    const updates = await trained([...kept, "--sample-prompt", "a cartoon character", "--out", whole]);
    expect(updates.map((e) => [e.update, e.updates])).toEqual([1, 2, 3].map((n) => [n, 3]));
    const files = ["checkpoint", "distill.kohya", "distill"].map((name) => `${name}.safetensors`);
    expect(readdirSync(whole)).toEqual(expect.arrayContaining([...files, "index.html", "run.json", "samples"]));
    const image = await imageWith("--distilled", path.join(whole, "distill.safetensors"));
    expect(apart(image, await imageWith("--distilled", path.join(whole, "distill.kohya.safetensors")))).toBeLessThan(2);
    expect(apart(image, await pixelsOf(path.join(whole, "samples/000003_0_0.png")))).toBeLessThan(2);
    expect(apart(image, await pixelsOf(path.join(whole, "samples/000000_0_0.png")))).toBeGreaterThan(1);
    expect(JSON.parse(readFileSync(path.join(whole, "run.json"), "utf8"))).toMatchObject({
      command: "train distill",
      updates: 3,
      from: ["a red cartoon character", "a cartoon character with a hat"],
      request: { keepDiversity: true, rank: 2, alpha: 2 },
    });
  });

  it("goes on after Ctrl-C with its fake score and its average, to the same LoRA to the bit", async () => {
    const out = fresh();
    const words = [...kept, "--sample-prompt", "a cartoon character", "--out", out];
    await expectGoesOn(words, { out, whole, updates: 3, files: ["distill.safetensors", "samples/000003_0_3.png"] });
  });

  it("distils by consistency on images that the base makes, which a run that goes on reads again", async () => {
    const words = [...LORA, "--method", "lcm", "--made-images", "3", "--iterations", "3", "--sample-every", "0"];
    const [first, second] = [fresh(), fresh()];
    await trained([...words, "--out", first]);
    const { weights } = await openWeights(path.join(first, "made/0.safetensors"));
    expect([...weights.values()].map((w) => w.shape)).toContainEqual([1, 4, 16, 16]);
    await expectGoesOn([...words, "--out", second], {
      ...{ out: second, whole: first, updates: 3, files: ["distill.safetensors", "distill.kohya.safetensors"] },
    });
    expect(readdirSync(path.join(second, "made"))).toEqual(["0.safetensors"]);
  });

  it("trains whole weights, and writes a folder that opens as the distilled model", async () => {
    const out = fresh();
    const words = [...SMALL.slice(0, -1), "0.0001", "--whole-weights", "--fake-updates", "1", "--steps", "2"];
    await trained([
      ...words,
      "--iterations",
      "2",
      "--sample-every",
      "2",
      "--sample-prompt",
      "a cartoon character",
      "--out",
      out,
    ]);
    expect(existsSync(path.join(out, "distill.safetensors"))).toBe(false);
    const base = await openWeights(path.join(EMBEDDED, "base/unet/diffusion_pytorch_model.safetensors"));
    const made = await openWeights(path.join(out, "unet/diffusion_pytorch_model.safetensors"));
    const shapes = ({ weights }: typeof base) => new Map([...weights].map(([name, { shape }]) => [name, shape]));
    expect(shapes(made)).toEqual(shapes(base));
    const image = await imageWith("--distilled", out, "--scheduler", "LCMScheduler", "--timesteps", "999,499");
    expect(apart(image, await pixelsOf(path.join(out, "samples/000002_0_0.png")))).toBeLessThan(2);
    expect(apart(image, await pixelsOf(path.join(out, "samples/000000_0_0.png")))).toBeGreaterThan(1);
  });

  it("says how a result is run whose pair has no few-step sampling of its own", async () => {
    const words = ["--iterations", "1", "--sample-every", "0", "--fake-updates", "1", "--steps", "2", "--out", fresh()];
    const { stdout } = await runProgram([...LORA, ...words, "--base", path.join(EMBEDDED, "base")]);
    expect(stdout).toMatch(
      /try {5}variegate compare "a red cartoon character" --base \S+ --distilled \S+ --scheduler LCMScheduler --timesteps 999,499 --guidance 0\n/,
    );
  });

  it.each([
    [["--method", "lcm", "--keep-diversity"], 2, /--keep-diversity is of --method dmd2, not of lcm/],
    [["--made-images", "4"], 2, /--made-images is of --method lcm, not of dmd2/],
    [["--anchor", "3"], 2, /--anchor needs --keep-diversity/],
    [["--first-step", "hybrid"], 2, /--first-step needs --keep-diversity/],
    [["--keep-diversity", "--first-step", "hybrid", "--anchor", "3"], 2, /--anchor is of --first-step base/],
    [["--keep-diversity", "--steps", "1"], 2, /--keep-diversity needs at least two steps/],
    [["--whole-weights", "--rank", "2"], 2, /--rank is of a LoRA, not of --whole-weights/],
    [["--method", "tcd"], 2, /--method.*dmd2/],
    [["--lora", path.join(EMBEDDED, "adapters/blueprint.safetensors")], 2, /takes no --lora/],
    [["--prompts", "none.txt"], 3, /none\.txt/],
  ] as const)("refuses %j in a line", async (words, code, said) => {
    const { status, stderr } = await runProgram(["train", "distill", "--iterations", "1", ...words, "--out", fresh()]);
    expect([status, stderr]).toEqual([code, expect.stringMatching(said)]);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });
});
