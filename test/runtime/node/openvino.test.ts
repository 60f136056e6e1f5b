import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openComponentWeights } from "../../../src/checkpoint/node/index.js";
import { type GenerateRequest, generate } from "../../../src/generate/index.js";
import { createBuilder, encodeGraph } from "../../../src/graph/index.js";
import { openPair, type PairReference } from "../../../src/open/index.js";
import type { Device } from "../../../src/runtime/index.js";
import { openRuntime } from "../../../src/runtime/node/index.js";
import { findLibrary } from "../../../src/runtime/node/openvino/library.js";
import { settledMethods } from "../../../src/sampling/index.js";
import { createRng, float } from "../../../src/tensor/index.js";
import { componentFolder, componentGolden, stemOf } from "../../support/checkpoint.js";
import { temporaryFolder } from "../../support/folder.js";
import { networkOutputs } from "../../support/network.js";
import { expectOutputs, networkSchema } from "../../support/network-golden.js";
import { bfloat16, openVino } from "../../support/openvino.js";
import { description, tensors } from "../../support/parity.js";

describe("where OpenVINO is looked for", () => {
  const withFile = (...parts: string[]) => {
    const root = temporaryFolder();
    const file = path.join(root, ...parts);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, "");
    return { root, file };
  };

  it("is the folder that VARIEGATE_OPENVINO names, and nowhere else", () => {
    const { root, file } = withFile("libopenvino_c.so.2641");
    expect(findLibrary({ VARIEGATE_OPENVINO: root })).toBe(file);
    expect(findLibrary({ VARIEGATE_OPENVINO: temporaryFolder() })).toBeNull();
  });

  it("is an environment of Python", () => {
    const { root, file } = withFile("lib", "python3.12", "site-packages", "openvino", "libs", "libopenvino_c.so.2500");
    expect(findLibrary({ VIRTUAL_ENV: root })).toBe(file);
  });

  it("is an archive of Intel's", () => {
    const { root, file } = withFile("runtime", "lib", "intel64", "libopenvino_c.so");
    expect(findLibrary({ INTEL_OPENVINO_DIR: root })).toBe(file);
  });

  it("says what to install where it is missing", async () => {
    const before = process.env["VARIEGATE_OPENVINO"];
    process.env["VARIEGATE_OPENVINO"] = "/nowhere";
    const runtime = openRuntime({ device: "openvino", threads: 1 });
    const g = createBuilder();
    const model = encodeGraph(g.finish({ y: g.relu(g.input("x", [1])) }));
    try {
      await expect(runtime.load(model)).rejects.toThrow(
        /openvino is not available here .*no libopenvino_c in \/nowhere; pip install openvino, and set VARIEGATE_OPENVINO/,
      );
    } finally {
      if (before === undefined) delete process.env["VARIEGATE_OPENVINO"];
      else process.env["VARIEGATE_OPENVINO"] = before;
      await runtime.close();
    }
  });
});

describe.runIf(openVino !== null)("OpenVINO", { timeout: 240_000 }, () => {
  const runtime = openRuntime({ device: "openvino", threads: 1 });
  afterAll(() => runtime.close());

  it.each(["unet-sdxl", "vae-sdxl", "text-sdxl-2", "z-image", "qwen3", "flux1", "flux2"])(
    "computes what PyTorch computes in %s, in float32",
    async (name) => {
      const { component, runs } = description(`networks/${name}`, networkSchema);
      const golden = componentGolden(component);
      const index = await openComponentWeights(componentFolder(component), stemOf(golden));
      const recorded = await tensors(`networks/${name}`);
      for (const [i, run] of runs.entries()) {
        expectOutputs(await networkOutputs(runtime, golden, index, run.inputs), run, i, recorded);
      }
    },
  );

  it.runIf(bfloat16)("keeps the sine of an angle of many turns in bfloat16, and rounds products", async () => {
    const g = createBuilder();
    const x = g.input("x", ["B", 8]);
    const angle = g.mul(
      x,
      g.constant(
        [8],
        Float32Array.from({ length: 8 }, (_, i) => 1 - i / 50),
      ),
    );
    const sines = g.sin(angle);
    const w = g.constant(
      [8, 8],
      Float32Array.from({ length: 64 }, (_, i) => Number(i % 9 === 0)),
    );
    const session = await runtime.load(encodeGraph(g.finish({ y: g.linear(sines, w) }), { type: "bfloat16" }));
    const { outputs } = await session.run({ x: float([1, 8], new Float32Array(8).fill(999)) });
    await session.release();
    expect(Object.keys(outputs)).toEqual(["y"]);
    const exact = Array.from({ length: 8 }, (_, i) => Math.sin(Math.fround(999 * Math.fround(1 - i / 50))));
    const errors = exact.map((v, i) => Math.abs(v - (outputs["y"]?.data[i] as number)));
    expect(Math.max(...errors)).toBeLessThan(2 ** -8);
    expect(Math.max(...errors)).toBeGreaterThan(0);
  });

  it("refuses a wrong input by its name, and stays usable", async () => {
    const g = createBuilder();
    const session = await runtime.load(encodeGraph(g.finish({ y: g.relu(g.input("x", ["B", 3])) })));
    await expect(session.run({ x: createRng(0).randn([1, 4]) })).rejects.toThrow("input x is [1, 4]");
    const { outputs } = await session.run({ x: float([2, 3], Float32Array.of(-1, 2, -3, 4, 5, -6)) });
    expect([...(outputs["y"]?.data ?? [])]).toEqual([0, 2, 0, 4, 5, 0]);
    await session.release();
  });
});

describe.runIf(openVino !== null)("a pair on OpenVINO", { timeout: 240_000 }, () => {
  const request: GenerateRequest = {
    prompts: ["a red cartoon character wearing a crown"],
    mode: "hybrid",
    seeds: [3, 5],
    size: { width: 128, height: 96 },
  };
  async function pixels(reference: PairReference, device: Device, own: Partial<GenerateRequest> = {}) {
    await using pair = await openPair(reference, { device, threads: 1 });
    const images: Uint8Array[] = [];
    for await (const e of generate(pair, { ...request, ...own })) if (e.type === "image") images.push(e.image.data);
    return images;
  }
  /** Mean and largest difference of images, of 255. */
  function off(a: readonly Uint8Array[], b: readonly Uint8Array[]) {
    const all = a.flatMap((image, i) => [...image].map((v, j) => Math.abs(v - (b[i]?.[j] ?? Number.NaN))));
    return { mean: all.reduce((n, v) => n + v, 0) / all.length, largest: all.reduce((n, v) => Math.max(n, v), 0) };
  }
  const adapted: Partial<GenerateRequest> = {
    adapters: [{ ref: "embedded:sliders/smile.base.safetensors", scale: "2" }],
  };

  const CASES: readonly [string, Partial<GenerateRequest>, PairReference][] = [
    ["without adapters", {}, {}],
    ["with a slider that changes convolutions", adapted, {}],
    ["whose distilled model is a LoRA", {}, { distilled: "embedded:adapters/distilled.safetensors" }],
  ];

  it.each(CASES)("%s gives the images of ONNX Runtime in float32", async (_, own, models) => {
    const exact = await pixels(models, "cpu", own);
    expect(off(await pixels(models, "openvino", own), exact).largest).toBeLessThanOrEqual(1);
  });

  it.runIf(bfloat16).each(CASES)("%s gives nearly those images in bfloat16", async (_, own, models) => {
    const exact = await pixels(models, "cpu", own);
    const { mean } = off(await pixels({ ...models, compute: "bfloat16" }, "openvino", own), exact);
    expect(mean).toBeLessThan(4);
    expect(mean).toBeGreaterThan(0.01);
  });

  it("refuses what needs gradients", async () => {
    const needs = pixels({}, "openvino", { diversity: settledMethods([{ method: "contrastive-noise" }]) });
    await expect(needs).rejects.toThrow(/computed by ONNX Runtime in float32, not on openvino; leave out --device/);
  });
});
