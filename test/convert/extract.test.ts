import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { adapterTensors, type Dialect } from "../../src/adapters/index.js";
import { safetensors } from "../../src/checkpoint/index.js";
import { readTensors } from "../../src/checkpoint/node/index.js";
import { type Extracted, extractAdapter } from "../../src/convert/index.js";
import { RequestError } from "../../src/errors.js";
import { generate } from "../../src/generate/index.js";
import { resolveReference } from "../../src/lookup/index.js";
import { openPair, type PairReference } from "../../src/open/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import type { Mode } from "../../src/sampling/index.js";
import { temporaryFolder } from "../support/folder.js";
import { singleGolden, tensorsOf, writeSingle } from "../support/single-file.js";

const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());
const [from, to] = ["embedded:base", "embedded:distilled"];

async function latents(reference: PairReference, mode: Mode): Promise<Float32Array> {
  const pair = await openPair(reference, { threads: 1 });
  const { sampling } = (await openPair()).row ?? {};
  try {
    const request = {
      mode,
      ...sampling?.distilled,
      ...(mode === "hybrid" && { handoff: "schedule" as const }),
      prompts: ["a cartoon character"],
      seeds: [3],
      size: { width: 64, height: 48 },
    };
    for await (const event of generate(pair, request)) if (event.type === "image") return event.latents.data;
    throw new Error("no picture");
  } finally {
    await pair.close();
  }
}
const farthest = (a: Float32Array, b: Float32Array) =>
  a.reduce((w, v, i) => Math.max(w, Math.abs(v - (b[i] ?? Number.NaN))), 0);
const exact = await extractAdapter({ from, to, keep: null }, runtime);
const full = await extractAdapter({ from, to, keep: { rank: 200, energy: 1 }, biases: true }, runtime);
const half = await extractAdapter({ from, to, keep: { rank: 160, energy: 0.5 } }, runtime);
const wanted = await latents({}, "distilled");

function written({ adapter, model }: Extracted, dialect: Dialect = "kohya"): string {
  const file = path.join(temporaryFolder(), "extracted.safetensors");
  writeFileSync(file, safetensors(adapterTensors(adapter, dialect, model)));
  return file;
}

describe("an extracted adapter", { timeout: 240_000 }, () => {
  it("that is exact makes one model of the other", async () => {
    const adapters = [{ ref: written(exact) }];
    expect(farthest(await latents({ base: from, adapters }, "base"), wanted)).toBeLessThan(2e-4);
  });

  it("of full rank, with biases, is the distilled model in the base's own weights, also in the middle of a run", async () => {
    const pair = { base: from, distilled: written(full) };
    expect(farthest(await latents(pair, "distilled"), wanted)).toBeLessThan(2e-3);
    expect(farthest(await latents(pair, "hybrid"), await latents({}, "hybrid"))).toBeLessThan(2e-3);
    expect(farthest(await latents(pair, "base"), await latents({}, "base"))).toBeLessThan(1e-4);
  });

  it("of a lower rank is less of it, in PEFT's words too", async () => {
    const little = await latents({ base: from, distilled: written(half, "peft") }, "distilled");
    expect(farthest(little, wanted)).toBeGreaterThan(0.01);
    expect(farthest(little, wanted)).toBeLessThan(farthest(await latents({}, "base"), wanted) * 2);
  });

  it("says what it keeps", () => {
    expect(full.kept).toBeCloseTo(1, 4);
    expect(half.beyond).toBeGreaterThan(0.001);
    expect(half.layers.every((l) => l.kept >= 0.5)).toBe(true);
    expect(half.kept).toBeLessThan(full.kept);
    expect(exact.kept).toBeCloseTo(1, 9);
  });
});

describe("models that differ by no adapter", { timeout: 240_000 }, () => {
  it("are refused when they are the same", async () => {
    await expect(extractAdapter({ from, to: from, keep: null }, runtime)).rejects.toThrow(/same weights/);
  });

  it("are refused when a weight is not finite, naming file and tensor", async () => {
    const file = path.join(resolveReference("embedded:distilled"), "unet", "diffusion_pytorch_model.safetensors");
    const tensors = Object.fromEntries(await readTensors(file));
    tensors["conv_in.weight"]?.data.fill(Number.NaN, 3, 4);
    const broken = path.join(temporaryFolder(), "broken.safetensors");
    writeFileSync(broken, safetensors(tensors));
    await expect(extractAdapter({ from, to: broken, keep: { rank: 2, energy: 1 } }, runtime)).rejects.toThrow(
      expect.objectContaining({ name: "NonFiniteTensorError", file: broken, tensor: "conv_in.weight" }),
    );
  });

  it("are refused when their architectures differ, naming the tensor", async () => {
    const file = writeSingle(path.join(temporaryFolder(), "other.safetensors"), tensorsOf(singleGolden("sd1")));
    const asked = extractAdapter({ from, to: file, keep: null }, runtime);
    await expect(asked).rejects.toThrow(RequestError);
    await expect(asked).rejects.toThrow(/is missing in .*other\.safetensors, and \[/);
  });
});
