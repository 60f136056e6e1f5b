import { cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readTensors } from "../../src/checkpoint/node/index.js";
import { runProgram } from "../support/program.js";
import { apart, expectGoesOn, fresh, pixelsOf, trained } from "../support/training.js";

const pictures = fresh();
/** A run of three small updates of a token of two embeddings. */
const small = (...words: readonly string[]) => [
  ...["train", "embedding", pictures, "--token", "<pip>", "--vectors", "2", "--initialize", "blue"],
  ...["--iterations", "3", "--batch", "2", "--learning-rate", "0.5", "--on", "distilled", ...words],
];

describe("variegate train embedding", { timeout: 240_000 }, () => {
  const whole = fresh();

  beforeAll(async () => {
    const out = fresh();
    const words = ["a red cartoon character", "--mode", "distilled", "--seeds", "0-2", "--out", out];
    expect((await runProgram(["generate", ...words])).status).toBe(0);
    mkdirSync(pictures, { recursive: true });
    for (const file of readdirSync(out).filter((f) => f.endsWith(".png")))
      cpSync(path.join(out, file), path.join(pictures, file));
    // One image has a caption with the token; the others, whose caption is the prompt that they record, get the plainest.
    writeFileSync(path.join(pictures, "1.txt"), "a <pip> with a hat");
  });

  it("writes embeddings in SDXL's format, which give the samples of the run", async () => {
    const updates = await trained(small("--sample-prompt", "a cartoon character, <pip>", "--out", whole));
    expect(updates.map((e) => [e.update, e.updates])).toEqual([1, 2, 3].map((n) => [n, 3]));
    const file = path.join(whole, "embedding.safetensors");
    const written = new Map([...(await readTensors(file))].map(([name, { shape }]) => [name, shape]));
    expect(written).toEqual(
      new Map([
        ["clip_l", [2, 64]],
        ["clip_g", [2, 96]],
      ]),
    );
    const out = fresh();
    const words = ["generate", "a cartoon character, <pip>", "--mode", "distilled", "--seeds", "0,1"];
    expect((await runProgram([...words, "--embedding", `${file}=<pip>`, "--out", out])).status).toBe(0);
    const image = await pixelsOf(path.join(out, "1.png"));
    expect(apart(image, await pixelsOf(path.join(whole, "samples/000003_0_1.png")))).toBeLessThan(2);
    expect(apart(image, await pixelsOf(path.join(whole, "samples/000000_0_1.png")))).toBeGreaterThan(1);
  });

  it("goes on after Ctrl-C, to the same embeddings to the bit", async () => {
    const out = fresh();
    const words = small("--sample-prompt", "a cartoon character, <pip>", "--out", out);
    const files = ["embedding.safetensors", "samples/000003_0_3.png"];
    await expectGoesOn(words, { out, whole, updates: 3, files });
  });

  it.each([
    [["--caption", "a photo of a cat"], 2, /--caption has no <pip>/],
    [["--token", "<|endoftext|>"], 2, /the token "<\|endoftext\|>" is already in the tokenizer's vocabulary/],
    [["--vectors", "0"], 2, /vectors/],
    [["--caption", `${"red hat ".repeat(40)}<pip>`], 2, /<pip> does not occur in the prompt, or is cut off/],
  ] as const)("refuses %j in a line", async (words, code, said) => {
    const { status, stderr } = await runProgram(small(...words, "--out", fresh()));
    expect([status, stderr]).toEqual([code, expect.stringMatching(said)]);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });
});
