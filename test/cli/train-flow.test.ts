import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { checkpointFolder } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";
import { apart, expectGoesOn, fresh, pixelsOf, trained } from "../support/training.js";

const pictures = temporaryFolder();
const of = (checkpoint: string) => ["--base", checkpointFolder(checkpoint)];
/** A run of few small updates. */
const lora = (checkpoint: string, ...words: readonly string[]) => [
  ...["train", "lora", pictures, ...of(checkpoint), "--size", "40x24", "--iterations", "3", "--batch", "2"],
  ...["--rank", "2", "--learning-rate", "0.05", "--sample-every", "0", ...words],
];
/** Pixels of an image with a LoRA. */
async function imageOf(checkpoint: string, file: string): Promise<Buffer> {
  const out = fresh();
  const words = ["generate", "a cat", ...of(checkpoint), "--mode", "base", "--steps", "2", "--size", "40x24"];
  const { status, stderr } = await runProgram([...words, "--seed", "1", "--lora", file, "--out", out]);
  expect([status, stderr]).toEqual([0, expect.not.stringMatching(/error/i)]);
  return pixelsOf(path.join(out, "1.png"));
}

/** Names of the tensors in a file. */
function keysOf(file = ""): string[] {
  const bytes = readFileSync(file);
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
  return Object.keys(header).filter((key) => key !== "__metadata__");
}

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  for (const [i, [width, height]] of [
    [80, 48],
    [48, 80],
    [88, 52],
  ].entries()) {
    const channels = 3;
    const raw = { width: width ?? 1, height: height ?? 1, channels } as const;
    const data = Uint8Array.from({ length: raw.width * raw.height * channels }, (_, k) => (k * (31 + i)) % 256);
    await sharp(data, { raw })
      .png()
      .toFile(path.join(pictures, `${i}.png`));
    // Texts of several lengths in a batch.
    writeFileSync(path.join(pictures, `${i}.txt`), `a photo of a cat${" with stripes and a long tail".repeat(8 * i)}`);
  }
});

describe("variegate train lora on a flow matching transformer", { timeout: 240_000 }, () => {
  const whole = fresh();

  it("writes a LoRA with the names of its pipeline and with kohya's, which change the model alike", async () => {
    const updates = await trained([
      ...lora("zimage", "--class-prompt", "a cat", "--class-images", "1"),
      "--out",
      whole,
    ]);
    expect(updates).toHaveLength(3);
    const [file, kohya] = ["lora.safetensors", "lora.kohya.safetensors"].map((name) => path.join(whole, name));
    const ours = /^transformer\.\w+\.\d+\.attention\.to_.*\.lora_[AB]\.weight$/;
    expect(keysOf(file).every((key) => ours.test(key))).toBe(true);
    const theirs = /^lora_unet_(layers|\w+_refiner)_\d+_attention_(qkv|out)\.(lora_(down|up)\.weight|alpha)$/;
    expect(keysOf(kohya).every((key) => theirs.test(key))).toBe(true);
    const image = await imageOf("zimage", `${file}:2`);
    expect(apart(image, await imageOf("zimage", `${file}:0`))).toBeGreaterThan(1);
    expect(apart(image, await imageOf("zimage", `${kohya}:2`))).toBeLessThan(0.01);
  });

  it("goes on after Ctrl-C, to the same LoRA to the bit", async () => {
    const out = fresh();
    const words = [...lora("zimage", "--class-prompt", "a cat", "--class-images", "1"), "--out", out];
    await expectGoesOn(words, { out, whole, updates: 3, files: ["lora.safetensors"] });
  });

  it.each(["klein", "flux1", "chroma", "sd3", "qwenimage"])("trains %s", async (checkpoint) => {
    const updates = await trained([...lora(checkpoint, "--type", "c3lier", "--iterations", "1"), "--out", fresh()]);
    expect(updates).toHaveLength(1);
  });

  it.each([
    ["zimage", []],
    ["flux1", ["--type", "c3lier"]],
    ["sana", ["--size", "64x32"]],
  ])(
    "computes values again with --recompute on %s, with the same losses, and prints memory against time",
    async (checkpoint, words) => {
      const small = lora(checkpoint, "--iterations", "2", ...words);
      const losses = async (...more: readonly string[]) =>
        (await trained([...small, ...more, "--out", fresh()])).map(({ loss }) => loss);
      const [plain, again] = [await losses(), await losses("--recompute")];
      for (const [i, loss] of again.entries()) expect(loss / (plain[i] ?? 0)).toBeCloseTo(1, 5);
      const { stdout } = await runProgram([...small, "--recompute", "--iterations", "1", "--out", fresh()]);
      expect(stdout).toMatch(/memory {2}about \d+ MB for the values of an update, \d+ MB without --recompute/);
    },
  );

  it("trains SANA, and samples at --size", async () => {
    const out = fresh();
    const words = lora("sana", "--size", "64x32", "--crop", "--weighting", "cosmap", "--sample-every", "3");
    await trained([...words, "--out", out]);
    const { width, height } = await sharp(path.join(out, "samples/000003_0_1.png")).metadata();
    expect([width, height]).toEqual([64, 32]);
  });

  it("trains a distilled model at its own steps", async () => {
    const distilled = ["--distilled", checkpointFolder("zimage-turbo"), "--on", "distilled"];
    expect(await trained([...lora("zimage", ...distilled), "--out", fresh()])).toHaveLength(3);
  });

  it.each([
    ["zimage", ["--snr-gamma", "5"], /--snr-gamma is for models that predict noise, and Z-Image predicts the velocity/],
    ["zimage", ["--weighting", "debiased"], /expected --weighting logit-normal, mode, cosmap or none/],
    ["zimage", ["--custom-diffusion"], /--rank is of a LoRA/],
    [
      "zimage",
      ["--token", "<pip>"],
      /--token is for Stable Diffusion 1\.x, .*; Qwen3 4B reads those of Z-Image, and a new token/,
    ],
    [
      "flux1",
      ["--token", "<pip>"],
      /whose prompts CLIP alone reads; T5 XXL reads those of FLUX\.1 too, and a new token/,
    ],
    ["sd3", ["--size", "96x64"], /--size 96x64: .* has position embeddings for at most 72 pixels a side/],
    ["zimage", ["--crop", "--size", "44x26"], /--size 44x26: expected multiples of 8 pixels/],
  ] as const)("on %s refuses %j in a line, before a folder is made", async (checkpoint, words, said) => {
    const { status, stderr } = await runProgram(lora(checkpoint, ...words, "--out", path.join(temporaryFolder(), "x")));
    expect([status, stderr]).toEqual([2, expect.stringMatching(said)]);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});

describe("variegate train slider on a flow matching transformer", { timeout: 240_000 }, () => {
  const PROMPTS = ["--concept", "a cat", "--positive", `a ${"very ".repeat(60)}happy cat`, "--negative", "a sad cat"];
  const slider = (checkpoint: string, ...words: readonly string[]) => [
    ...["train", "slider", ...PROMPTS, ...of(checkpoint), "--size", "40x24", "--iterations", "2", "--batch", "1"],
    ...["--rank", "2", "--learning-rate", "0.05", "--sample-every", "0", ...words],
  ];

  it("writes a slider that changes the model, from prompts of several lengths", async () => {
    const out = fresh();
    expect(await trained([...slider("flux1"), "--out", out])).toHaveLength(2);
    expect(await trained([...slider("zimage", "--layers", "full"), "--out", fresh()])).toHaveLength(2);
    const file = path.join(out, "slider.safetensors");
    expect(apart(await imageOf("flux1", `${file}:5`), await imageOf("flux1", `${file}:0`))).toBeGreaterThan(1);
  });

  it.each(["zimage", "sd3"])("trains on pairs of images with %s, with --recompute too", async (checkpoint) => {
    const other = temporaryFolder();
    mkdirSync(other, { recursive: true });
    for (const file of readdirSync(pictures).filter((name) => name.endsWith(".png")))
      await sharp(path.join(pictures, file)).negate().toFile(path.join(other, file));
    const words = [
      ...["train", "slider", "--positive-images", pictures, "--negative-images", other, "--concept", "a cat"],
      ...[...of(checkpoint), "--size", "40x24", "--iterations", "3", "--batch", "2", "--rank", "2"],
      ...["--learning-rate", "0.3", "--sample-every", "0"],
    ];
    const [out, again] = [fresh(), fresh()];
    const losses = async (...more: readonly string[]) => (await trained([...words, ...more])).map(({ loss }) => loss);
    const [plain, recomputed] = [await losses("--out", out), await losses("--recompute", "--out", again)];
    expect(plain).toHaveLength(3);
    for (const [i, loss] of recomputed.entries()) expect(loss / (plain[i] ?? 0)).toBeCloseTo(1, 4);
    const file = path.join(out, "slider.safetensors");
    expect(apart(await imageOf(checkpoint, `${file}:2`), await imageOf(checkpoint, `${file}:0`))).toBeGreaterThan(1);
  });

  it.each([
    ["train slider --parity", slider("zimage", "--parity"), /--parity is for Stable Diffusion 1\.x/],
    ["train slider", slider("zimage", "--size", "44x26"), /--size 44x26: expected multiples of 8 pixels/],
    [
      "train embedding",
      ["train", "embedding", pictures, "--token", "<pip>", ...of("sd3")],
      /train embedding is for .* and SDXL, whose prompts CLIP alone reads; T5 XXL reads those of Stable Diffusion 3 too, and/,
    ],
  ])("refuses %s where it means nothing", async (_, words, said) => {
    const { status, stderr } = await runProgram([...words, "--out", path.join(temporaryFolder(), "x")]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(said)]);
  });
});

describe("variegate train distill on a flow matching transformer", { timeout: 240_000 }, () => {
  const prompts = path.join(temporaryFolder(), "prompts.txt");
  writeFileSync(prompts, `a red cat\n\na ${"very ".repeat(60)}small cat with a hat\n`);
  /** A run of few small updates. */
  const distill = (checkpoint: string, ...words: readonly string[]) => [
    ...["train", "distill", ...of(checkpoint), "--prompts", prompts, "--size", "40x24", "--iterations", "2"],
    ...["--batch", "2", "--learning-rate", "0.02", "--sample-every", "2", "--sample-prompt", "a cat", ...words],
  ];
  const lora = ["--rank", "2", "--type", "lierla", "--fake-updates", "2"];
  /** Pixels of an image with the distilled model. */
  async function distilled(checkpoint: string, ...words: readonly string[]): Promise<Buffer> {
    const out = fresh();
    const generate = ["generate", "a cat", ...of(checkpoint), "--mode", "distilled", "--size", "40x24"];
    const { status, stderr } = await runProgram([...generate, ...words, "--seed", "0", "--out", out]);
    expect([status, stderr]).toEqual([0, expect.not.stringMatching(/error/i)]);
    return pixelsOf(path.join(out, "0.png"));
  }

  it("writes a LoRA that opens as the distilled model with the samples of its run", async () => {
    const out = fresh();
    const words = distill("zimage", ...lora, "--keep-diversity", "--anchor", "2", "--learning-rate", "0.3");
    const { status, stdout } = await runProgram([...words, "--out", out]);
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(/try +variegate compare "a cat" --base \S+ --distilled \S+ --size 40x24\n/),
    ]);
    const file = path.join(out, "distill.safetensors");
    const image = await distilled("zimage", "--distilled", file);
    expect(apart(image, await pixelsOf(path.join(out, "samples/000002_0_0.png")))).toBeLessThan(2);
    expect(apart(image, await pixelsOf(path.join(out, "samples/000000_0_0.png")))).toBeGreaterThan(1);
    expect(keysOf(file).every((key) => /^transformer\..*\.attention\.to_.*\.lora_[AB]\.weight$/.test(key))).toBe(true);
    const kohya = await distilled("zimage", "--distilled", path.join(out, "distill.kohya.safetensors"));
    expect(apart(image, kohya)).toBeLessThan(0.01);
  });

  it("keeps the guidance scale of FLUX.1-dev as an input of the result", async () => {
    const out = fresh();
    const words = distill(
      "flux1",
      ...lora,
      "--keep-diversity",
      "--first-step",
      "hybrid",
      "--steps",
      "2",
      "--guidance",
      "2.5",
    );
    const { status, stdout } = await runProgram([...words, "--out", out]);
    const sampling = "--scheduler FlowMatchEulerDiscreteScheduler --steps 2 --guidance 2.5";
    expect([status, stdout]).toEqual([0, expect.stringContaining(sampling)]);
    const file = path.join(out, "distill.safetensors");
    const image = await distilled("flux1", "--distilled", file, ...sampling.split(" "));
    expect(apart(image, await pixelsOf(path.join(out, "samples/000002_0_0.png")))).toBeLessThan(2);
  });

  it("does not run the result at the scale of the pair's own LoRA", async () => {
    const [adapter, out] = [fresh(), fresh()];
    const few = [...lora, "--iterations", "1", "--sample-every", "0"];
    await trained([...distill("sd3", ...few), "--out", adapter]);
    const pairs = path.join(temporaryFolder(), "pairs.json");
    mkdirSync(path.dirname(pairs), { recursive: true });
    const [base, own] = [checkpointFolder("sd3"), path.join(adapter, "distill.safetensors")];
    const sampling = { base: {}, distilled: { steps: 3, loraScale: 0.125 } };
    writeFileSync(
      pairs,
      JSON.stringify([{ name: "scaled", family: "sd3", base, distilled: own, lora: true, sampling }]),
    );
    const words = distill("sd3", ...lora, "--learning-rate", "0.3").slice(4);
    const { stdout } = await runProgram([
      "train",
      "distill",
      "--pair",
      "scaled",
      "--pairs",
      pairs,
      ...words,
      "--out",
      out,
    ]);
    expect(stdout).toMatch(
      /try +variegate compare "a cat" --base \S+ --distilled \S+ --scheduler \w+ --steps 3 --guidance 0 --size/,
    );
    const image = await distilled("sd3", "--distilled", path.join(out, "distill.safetensors"), "--steps", "3");
    expect(apart(image, await pixelsOf(path.join(out, "samples/000002_0_0.png")))).toBeLessThan(2);
  });

  it("distils by consistency on images that the base makes, and goes on after Ctrl-C to the same LoRA to the bit", async () => {
    const words = distill(
      "sd3",
      "--rank",
      "2",
      "--method",
      "lcm",
      "--made-images",
      "3",
      "--iterations",
      "3",
      "--sample-every",
      "0",
    );
    const [whole, out] = [fresh(), fresh()];
    expect(await trained([...words, "--out", whole])).toHaveLength(3);
    await expectGoesOn([...words, "--out", out], { out, whole, updates: 3, files: ["distill.safetensors"] });
  });

  it("trains whole weights, and writes a folder that opens as the distilled model", async () => {
    const out = fresh();
    const words = distill(
      "zimage",
      "--whole-weights",
      "--fake-updates",
      "1",
      "--steps",
      "2",
      "--learning-rate",
      "0.001",
    );
    expect(await trained([...words, "--out", out])).toHaveLength(2);
    const image = await distilled("zimage", "--distilled", out, "--steps", "2");
    expect(apart(image, await pixelsOf(path.join(out, "samples/000002_0_0.png")))).toBeLessThan(2);
    expect(apart(image, await pixelsOf(path.join(out, "samples/000000_0_0.png")))).toBeGreaterThan(1);
  });

  it.each(["klein", "chroma", "qwenimage", "sana"])("trains %s by both methods", async (checkpoint) => {
    const size = checkpoint === "sana" ? ["--size", "64x32"] : [];
    const words = [...lora, ...size, "--iterations", "1", "--sample-every", "0"];
    expect(await trained([...distill(checkpoint, ...words), "--out", fresh()])).toHaveLength(1);
    const lcm = [
      "--rank",
      "2",
      ...size,
      "--iterations",
      "1",
      "--sample-every",
      "0",
      "--method",
      "lcm",
      "--images",
      pictures,
    ];
    const without = distill(checkpoint, ...lcm).filter((word) => word !== "--prompts" && word !== prompts);
    expect(await trained([...without, "--out", fresh()])).toHaveLength(1);
  });

  it.each([
    ["zimage", ["--size", "44x26"], /--size 44x26: expected multiples of 8 pixels/],
    ["sd3", ["--size", "96x64"], /--size 96x64: .* has position embeddings for at most 72 pixels a side/],
    ["zimage", ["--keep-diversity", "--steps", "1"], /--keep-diversity needs at least two steps/],
    ["sana-sprint", [], /takes the guidance scale as an input, as distilled models of SANA do/],
  ] as const)("on %s refuses %j in a line", async (checkpoint, words, said) => {
    const { status, stderr } = await runProgram([...distill(checkpoint, ...words), "--out", fresh()]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(said)]);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});
