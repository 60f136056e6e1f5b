import { existsSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { readTensors } from "../../src/checkpoint/node/index.js";
import { generate } from "../../src/generate/index.js";
import { openPair, type PairReference } from "../../src/open/index.js";
import { createRng, float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";

const variegate = (...args: string[]) => runProgram(args);

const folder = temporaryFolder();
const file = path.join(folder, "mine.safetensors");
const draw = createRng(3);
const [attention, convolution] = [
  "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
  "mid_block.resnets.0.conv1",
];
const pair = await openPair();
const { weights } = await pair.base.weights();
await pair.close();
const tensors = Object.fromEntries(
  [attention, convolution].flatMap((layer) => {
    const [out = 0, ...rest] = weights.get(`${layer}.weight`)?.shape ?? [];
    const key = `lora_unet_${layer.replaceAll(".", "_")}`;
    return [
      [`${key}.lora_down.weight`, draw.randn([3, ...rest])],
      [`${key}.lora_up.weight`, draw.randn([out, 3, ...rest.slice(1).map(() => 1)])],
      [`${key}.alpha`, { dtype: "float32" as const, shape: [], data: Float32Array.of(0.2) }],
    ];
  }),
);
writeFileSync(file, safetensors(tensors));

async function imagesOf(reference: PairReference): Promise<Float32Array> {
  const opened = await openPair(reference);
  try {
    const request = {
      mode: "base" as const,
      steps: 2,
      guidance: 1,
      seeds: [1],
      prompts: ["a cartoon character"],
      size: { width: 64, height: 48 },
    };
    for await (const event of generate(opened, request)) if (event.type === "image") return event.latents.data;
    throw new Error("no picture");
  } finally {
    await opened.close();
  }
}
const farthest = (a: Float32Array, b: Float32Array) =>
  a.reduce((w, v, i) => Math.max(w, Math.abs(v - (b[i] ?? Number.NaN))), 0);

describe("adapter", { timeout: 240_000 }, async () => {
  const live = await imagesOf({ base: "embedded:base", adapters: [{ ref: file, scale: "0.5" }] });

  it("inspect says what it is and what it reaches", async () => {
    const { status, stdout } = await variegate("adapter", "inspect", file, "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      kinds: { LoRA: 2 },
      ranks: [3, 3],
      dialects: ["kohya"],
      fits: true,
      unmatched: [],
      targets: [{ part: "unet", layers: 2, blocks: { down: 1, mid: 1, up: 0, other: 0 } }],
    });
    expect((await variegate("adapter", "inspect", file)).stdout).toMatch(/2 × LoRA · kohya\nrank 3 · alpha 0\.2/);
  });

  it.each([
    [
      "SDXL",
      "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k",
      2048,
      /adapter for Stable Diffusion XL/,
      "sdxl",
    ],
    ["SD 1.x", "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k", 768, /adapter for .*1/, "sd1"],
    ["FLUX", "lora_unet_single_blocks_0_linear1", 3072, /adapter for FLUX\.1/, null],
  ])("inspect describes a LoRA for %s, which the model cannot take", async (name, layer, features, about, family) => {
    const other = path.join(folder, `other-${name}.safetensors`);
    const tensors = {
      [`${layer}.lora_down.weight`]: createRng(1).randn([4, features]),
      [`${layer}.lora_up.weight`]: createRng(2).randn([8, 4]),
      [`${layer}.alpha`]: float([1], Float32Array.of(2)),
    };
    writeFileSync(other, safetensors(tensors));
    const { status, stdout } = await variegate("adapter", "inspect", other, "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      about: expect.stringMatching(about),
      family,
      kinds: { LoRA: 1 },
      dialects: ["kohya"],
      ranks: [4, 4],
      alphas: [2],
      layers: { unet: 1 },
      parameters: 4 * features + 32,
      fits: false,
      problem: expect.stringMatching(/LoRA|adapter/i),
    });
    expect((await variegate("adapter", "inspect", other)).stdout).toMatch(/1 × LoRA · kohya\nrank 4 · alpha 2/);
  });

  it.each(["peft", "kohya"])("convert to %s says the same in other words", async (dialect) => {
    const out = path.join(folder, `as-${dialect}.safetensors`);
    expect(await variegate("adapter", "convert", file, "--to", dialect, "--out", out)).toMatchObject({
      status: 0,
      stderr: "",
    });
    const keys = [...(await readTensors(out)).keys()];
    const expected =
      dialect === "peft"
        ? `unet.${attention}.lora_A.weight`
        : "lora_unet_input_blocks_3_1_transformer_blocks_0_attn1_to_q.lora_down.weight";
    expect(keys).toContain(expected);
    expect(
      farthest(await imagesOf({ base: "embedded:base", adapters: [{ ref: out, scale: "0.5" }] }), live),
    ).toBeLessThan(1e-4);
  });

  it("merge writes a folder that generates the same, and leaves the base as it was", async () => {
    const out = path.join(folder, "merged");
    const words = ["adapter", "merge", "--base", "embedded:base", "--lora", `${file}:0.5`, "--out", out];
    expect(await variegate(...words)).toMatchObject({ status: 0 });
    expect(farthest(await imagesOf({ base: out }), live)).toBeLessThan(1e-3);
    expect(farthest(await imagesOf({ base: "embedded:base" }), live)).toBeGreaterThan(0.01);
    expect(readdirSync(path.join(out, "unet")).sort((a, b) => a.localeCompare(b))).toEqual([
      "config.json",
      "diffusion_pytorch_model.safetensors",
    ]);
    expect(await variegate(...words)).toMatchObject({ status: 2, stderr: expect.stringMatching(/already exists/) });
    expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
  });

  it.skipIf(!existsSync("/proc/self"))("merge says what to do where it cannot write", async () => {
    const { status, stderr } = await variegate("adapter", "merge", "--lora", file, "--out", "/proc/self/merged");
    expect([status, stderr]).toEqual([
      3,
      expect.stringMatching(/cannot be written \(ENOENT\); choose another --out\n$/),
    ]);
  });

  it("extract writes what a model has learned, and says how much of it", async () => {
    const out = path.join(folder, "extracted.safetensors");
    const models = ["--from", "embedded:base", "--to", "embedded:distilled"];
    const { status, stdout } = await variegate("adapter", "extract", ...models, "--rank", "2", "--out", out, "--json");
    expect(status).toBe(0);
    const { kept, beyond, layers } = JSON.parse(stdout) as { kept: number; beyond: number; layers: { rank: number }[] };
    expect(kept).toBeGreaterThan(0.05);
    expect(beyond).toBeLessThan(0.05);
    expect(layers.every((l) => l.rank <= 2)).toBe(true);
    expect((await variegate("adapter", "inspect", out)).stdout).toMatch(
      new RegExp(`${layers.length} × LoRA · kohya\nrank 2`),
    );
  }, 240_000);

  const both = ["extract", "--from", "embedded:base", "--to", "embedded:distilled"];
  it.each([
    [
      "whole differences in PEFT's words",
      2,
      /--dialect kohya/,
      [...both, "--exact", "--dialect", "peft", "--out", "x.safetensors"],
    ],
    [
      "a rank and the full difference",
      2,
      /--exact .*--rank/,
      [...both, "--exact", "--rank", "4", "--out", "x.safetensors"],
    ],
    ["rank 0", 2, /--rank .*from 1 to 502/, [...both, "--rank", "0", "--out", "x.safetensors"]],
    ["more than all", 2, /--energy .*from 0 to 1/, [...both, "--energy", "2", "--out", "x.safetensors"]],
    [
      "a model that is not there",
      3,
      /there is no such/,
      ["extract", "--from", "embedded:base", "--to", "/no/where", "--out", "x.safetensors"],
    ],
    [
      "the same model twice",
      2,
      /the same weights/,
      ["extract", "--from", "embedded:base", "--to", "embedded:base", "--out", "x.safetensors"],
    ],
    [
      "an option without effect on a file",
      2,
      /unknown option '--lora'/,
      ["convert", file, "--to", "peft", "--out", "x.safetensors", "--lora", file],
    ],
    [
      "a LoRA for another model than the merged one",
      2,
      /--lora-distilled .*only the base is merged/,
      ["merge", "--lora-distilled", file, "--out", path.join(folder, "none")],
    ],
    [
      "a pair that is not there",
      2,
      /--pair nope: no such pair/,
      ["merge", "--pair", "nope", "--lora", file, "--out", path.join(folder, "none")],
    ],
    [
      "no file by other tools' name of --out",
      2,
      /--out .*\.safetensors/,
      ["convert", file, "--to", "peft", "--output", "x.bin"],
    ],
    ["nothing to merge", 2, /nothing to merge/, ["merge", "--out", path.join(folder, "none")]],
    [
      "an unknown dialect",
      2,
      /Allowed choices are peft, kohya/,
      ["convert", file, "--to", "other", "--out", "x.safetensors"],
    ],
    ["another kind of file", 2, /--out .*\.safetensors/, ["convert", file, "--to", "peft", "--out", "x.bin"]],
    ["no adapter", 3, /no such file/, ["inspect", "/nowhere.safetensors"]],
    [
      "scales by row",
      2,
      /one scale for all rows/,
      ["merge", "--lora", `${file}:1@0`, "--out", path.join(folder, "none")],
    ],
  ])("refuses %s in a line", async (_, code, message, args) => {
    const { status, stderr } = await variegate("adapter", ...args);
    expect(status).toBe(code);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });
});
