import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { derivedFolder } from "../../src/checkpoint/node/index.js";
import { type GenerateRequest, generate, memoryNeeds } from "../../src/generate/index.js";
import { createBuilder, type Graph } from "../../src/graph/index.js";
import { describeRun, examine } from "../../src/inspect/index.js";
import { type Compute, derivations, openVinoBytes } from "../../src/networks/index.js";
import { openPair, openPlanSource, type PairReference } from "../../src/open/index.js";
import type { Device } from "../../src/runtime/index.js";
import { BYTES, type ByteSource, type Weight, type WeightBytes } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";
import { farthest } from "../support/parity.js";

process.env["XDG_CACHE_HOME"] = temporaryFolder();

const request: GenerateRequest = {
  prompts: ["a red cartoon character wearing a crown"],
  mode: "distilled",
  seeds: [3, 5],
  size: { width: 128, height: 96 },
};
const pairs = new Map<string, ReturnType<typeof openPair>>();
afterAll(async () => {
  for (const pair of pairs.values()) await (await pair).close();
});
function opened(reference: PairReference) {
  const key = JSON.stringify(reference);
  const pair = pairs.get(key) ?? openPair(reference, { threads: 1 });
  pairs.set(key, pair);
  return pair;
}
async function imagesOf(reference: PairReference, own: Partial<GenerateRequest> = {}) {
  const pictures = new Map<number, { latents: Float32Array; pixels: Uint8Array }>();
  for await (const e of generate(await opened(reference), { ...request, ...own })) {
    if (e.type === "image") pictures.set(e.seed, { latents: e.latents.data, pixels: e.image.data });
  }
  return pictures;
}
const of = <T>(map: ReadonlyMap<number, T>, seed: number): T => {
  const found = map.get(seed);
  if (!found) throw new Error(`no picture of seed ${seed}`);
  return found;
};
/** Mean difference of two pictures, of 255. */
const off = (a: Uint8Array, b: Uint8Array) => a.reduce((n, v, i) => n + Math.abs(v - (b[i] ?? 255)), 0) / a.length;

describe("int8 on the processor", { timeout: 240_000 }, () => {
  const slider = { ref: "embedded:sliders/smile.base.safetensors", scale: "2" };

  it("generates nearly what float32 generates, and not the same", async () => {
    const [whole, exact] = [await imagesOf({ compute: "int8" }), await imagesOf({})];
    for (const seed of [3, 5]) {
      const error = off(of(whole, seed).pixels, of(exact, seed).pixels);
      expect(error).toBeLessThan(3);
      expect(error).toBeGreaterThan(0.01);
    }
    // Another seed's picture is far from it.
    expect(off(of(whole, 3).pixels, of(exact, 5).pixels)).toBeGreaterThan(10);
  });

  it("gives a seed the same picture alone and in a batch", async () => {
    const [alone, together] = [
      await imagesOf({ compute: "int8" }, { seeds: [5] }),
      await imagesOf({ compute: "int8" }),
    ];
    expect(farthest(of(alone, 5).latents, of(together, 5).latents)).toBeLessThan(1e-3);
  });

  it("keeps adapters beside its matrices", async () => {
    const [whole, exact] = [
      await imagesOf({ compute: "int8", adapters: [slider] }),
      await imagesOf({ adapters: [slider] }),
    ];
    const plain = await imagesOf({ compute: "int8" });
    expect(off(of(whole, 3).pixels, of(exact, 3).pixels)).toBeLessThan(3);
    expect(off(of(whole, 3).pixels, of(plain, 3).pixels)).toBeGreaterThan(1);
  });

  it("takes less memory, for the UNet alone", async () => {
    const [whole, exact] = [
      await memoryNeeds(await opened({ compute: "int8" }), "int8"),
      await memoryNeeds(await opened({}), "float32"),
    ];
    const dual = (needs: typeof whole) => needs.find((n) => n.offload === "none")?.bytes ?? 0;
    const { base, distilled } = await opened({});
    expect(distilled).not.toBeNull();
    // Every matrix of a number of columns that blocks of 32 fill becomes 1 + 4 / 64 or 1 + 4 / 32 bytes a value.
    let [least, most] = [0, 0];
    for (const { shape } of (await base.weights()).weights.values()) {
      const [rows = 0, columns = 0] = shape;
      // Computed in float32, whatever it is stored as.
      const before = BYTES.float32;
      const is2d = shape.length === 2 || (shape.length === 4 && shape[2] === 1 && shape[3] === 1);
      if (is2d && columns % 32 === 0) most += rows * columns * (before - 1 - 4 / 64);
      if (shape.length === 2 && columns % 32 === 0) least += rows * columns * (before - 1 - 4 / 32);
    }
    expect(dual(exact) - dual(whole)).toBeGreaterThanOrEqual(2 * least);
    expect(dual(exact) - dual(whole)).toBeLessThanOrEqual(2 * most);
  });
});

describe("weights that are made anew", { timeout: 240_000 }, () => {
  /** A linear layer over a weight in memory, or in blocks of a file. */
  const graphOver = (bytes: WeightBytes): Graph => {
    const g = createBuilder();
    const weight: Weight = { name: "to_q.weight", dtype: "float32", shape: [2, 32], bytes };
    return g.finish({ y: g.linear(g.input("x", ["B", 32]), g.weight(weight)) });
  };
  const NOWHERE: ByteSource = {
    name: "unet.gguf",
    size: 68,
    read: () => Promise.reject(new Error("not asked for")),
  };
  const plain: WeightBytes = { in: "memory", source: { name: "unet.safetensors" }, bytes: new Uint8Array(256) };
  const blocks: WeightBytes = { in: "blocks", source: NOWHERE, offset: 0, length: 68, format: "q8_0", skip: 0 };

  it.each<[Compute, WeightBytes, number]>([
    ["int8", plain, Number.NaN],
    ["int8", plain, Number.POSITIVE_INFINITY],
    ["int8", blocks, Number.NEGATIVE_INFINITY],
    ["float32", blocks, Number.NaN],
    ["float16", blocks, Number.NEGATIVE_INFINITY],
    ["float16", blocks, 65520],
  ])("are refused in %s, by the name of the tensor, where a value is not finite", (compute, bytes, value) => {
    const derivation = derivations(graphOver(bytes), { compute }).get("to_q.weight");
    if (!derivation || !("make" in derivation)) throw new Error("nothing is made of it");
    fc.assert(
      fc.property(fc.nat(63), (at) => {
        const values = Float32Array.from({ length: 64 }, (_, i) => i - 30.5);
        expect(derivation.make(values).length).toBeGreaterThan(0);
        values[at] = value;
        expect(() => derivation.make(values)).toThrow(
          expect.objectContaining({
            name: "NonFiniteTensorError",
            file: bytes.source.name,
            tensor: "to_q.weight",
            value,
          }),
        );
      }),
    );
  });
});

describe("what is computed in", { timeout: 240_000 }, () => {
  it("stands in run.json", async () => {
    expect(describeRun(await opened({})).compute).toBe("float32");
    expect(describeRun(await opened({ compute: "int8" })).compute).toBe("int8");
  });

  it.each<[Compute, Device, RegExp]>([
    ["float16", "cpu", /float16 is for GPUs: .* float32 and back.*; on cpu take float32 or int8/],
    ["int8", "webgpu", /int8 is for ONNX Runtime on the processor \(--device cpu\); on webgpu take float32 or float16/],
    ["bfloat16", "cpu", /bfloat16 is for OpenVINO \(--device openvino\), .*; on cpu take float32 or int8/],
  ])("%s on %s is refused with what to do instead, by plan too", async (compute, device, message) => {
    await expect(openPair({ compute }, { device })).rejects.toThrow(message);
    await expect(openPlanSource({ compute }, { device })).rejects.toThrow(message);
  });

  it("is tried on this machine by doctor", async () => {
    const { devices } = await examine();
    expect(devices.find((d) => d.device === "cpu")?.computes).toEqual(["float32", "int8"]);
    for (const { runs, computes } of devices) expect(computes.includes("float32")).toBe(runs);
  });

  it("keeps what it works out in the cache folder", () => {
    expect(derivedFolder({ XDG_CACHE_HOME: "/caches" })).toBe("/caches/variegate/derived");
  });
});

describe("weights on OpenVINO", () => {
  it("count as they are kept: for the kernels, and half precision as it was widened", () => {
    const bytes = { in: "memory", source: { name: "x" }, bytes: new Uint8Array() } as const;
    const of = (dtype: "float32" | "float16" | "bfloat16", compute: "float32" | "bfloat16") =>
      openVinoBytes({ name: "w", dtype, shape: [10, 10], bytes }, compute) / 100;
    expect(
      (["float32", "float16", "bfloat16"] as const).map((dtype) => [of(dtype, "bfloat16"), of(dtype, "float32")]),
    ).toEqual([
      [2, 4],
      [6, 8],
      [10, 12],
    ]);
  });
});
