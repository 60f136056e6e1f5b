import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { encodeGraph, type Graph } from "../../src/graph/index.js";
import {
  drawDreamSim,
  drawInception,
  drawLpips,
  drawVit,
  dreamSimBranches,
  parseVitConfig,
  vitConfigOf,
} from "../../src/models/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import {
  createRng,
  type FloatTensor,
  float,
  resizeBicubicFloat,
  resizeBilinearTensorflow,
  type Weight,
  type WeightIndex,
} from "../../src/tensor/index.js";
import { valuesOf } from "../support/grow.js";
import { description, expectClose, NETWORK, namesIn, type Recorded, tensors } from "../support/parity.js";

const grownSchema = z.object({
  seed: z.number(),
  tensors: z.array(z.tuple([z.string(), z.array(z.number())])),
  scale: z.number().default(1),
});
const schema = z.object({
  network: z.enum(["vit", "dreamsim", "lpips", "inception"]),
  config: z.record(z.string(), z.unknown()).nullish(),
  weights: grownSchema,
  projections: z.array(z.tuple([z.string(), z.number()])).default([]),
  lora: grownSchema.optional(),
  image: z.object({ seed: z.number(), shape: z.array(z.number()), scale: z.number(), shift: z.number() }),
});
type Golden = z.output<typeof schema>;

const runtime = openRuntime({ threads: 2 });
afterAll(() => runtime.close());

/** The rule of parity/vision.py: variances and LPIPS's weights of layers are positive. */
function grown(name: string, shape: readonly number[], seed: number): Weight {
  const plain = valuesOf(name, shape, seed);
  const values = /running_var$|^lin\d/.test(name) ? plain.map((v) => Math.fround(Math.abs(v) + 0.5)) : plain;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, dtype: "float32", shape, bytes: { in: "memory", source: { name: "grown" }, bytes } };
}

function indexOf({ seed, tensors: list }: z.output<typeof grownSchema>, more: readonly Weight[] = []): WeightIndex {
  const weights = [...list.map(([name, shape], i) => grown(name, shape, seed + i)), ...more];
  return { source: "grown", weights: new Map(weights.map((w) => [w.name, w])) };
}

async function run(graph: Graph, image: FloatTensor): Promise<Record<string, FloatTensor>> {
  const session = await runtime.load(encodeGraph(graph));
  const { outputs } = await session.run({ image });
  await session.release();
  return Object.fromEntries(Object.entries(outputs).flatMap(([k, v]) => (v.dtype === "float32" ? [[k, v]] : [])));
}

function pixels({ seed, shape, scale, shift }: Golden["image"]): FloatTensor {
  const { data } = createRng(seed).randn(shape);
  return float(
    shape,
    data.map((v) => Math.fround(Math.fround(v * Math.fround(scale)) + Math.fround(shift))),
  );
}

const row = (x: FloatTensor | undefined, i: number) => {
  const d = x?.shape[1] ?? 0;
  return x?.data.subarray(i * d, (i + 1) * d) ?? new Float32Array();
};
const dot = (a: Float32Array, b: Float32Array) => a.reduce((s, v, i) => s + v * (b[i] ?? Number.NaN), 0);

/** What a golden's network computes, under the names of its outputs. */
const COMPUTE: Readonly<
  Record<Golden["network"], (golden: Golden, recorded: Recorded) => Promise<Record<string, FloatTensor | undefined>>>
> = {
  async vit({ config, weights, image }) {
    const index = indexOf(weights);
    const c = config ? parseVitConfig({ file: "config.json", config }) : vitConfigOf(index);
    return run(drawVit(c, index), pixels(image));
  },
  async dreamsim({ weights, projections, lora, image }) {
    const more = projections.map(([name, seed]) => {
      const weight = grown("proj", [128, 48], seed);
      return { ...weight, name };
    });
    const low = lora && { index: indexOf(lora), scale: lora.scale };
    const branches = dreamSimBranches(indexOf(weights, more)).map((b) => ({
      ...b,
      ...(low && { lora: { ...low, prefix: `base_model.model.${b.prefix}` } }),
    }));
    const { features } = await run(drawDreamSim(branches), pixels(image));
    // The package gives features of length 1.
    const unit = [0, 1].map((i) => row(features, i)).map((f) => f.map((v) => v / Math.sqrt(dot(f, f))));
    const [a = new Float32Array(), b = new Float32Array()] = unit;
    return {
      features: float([2, a.length], Float32Array.from([...a, ...b])),
      distance: float([1], Float32Array.of(1 - dot(a, b))),
    };
  },
  async lpips({ weights, image }) {
    const index = indexOf(weights);
    const x = pixels(image);
    const { features } = await run(drawLpips(index, index, x.shape[2] ?? 0, x.shape[3] ?? 0), x);
    const difference = row(features, 0).map((v, i) => v - (row(features, 1)[i] ?? Number.NaN));
    return { distance: float([1], Float32Array.of(dot(difference, difference))) };
  },
  async inception({ weights, image }, recorded) {
    const [n = 0, , height = 0, width = 0] = image.shape;
    const bytes = recorded.bytes("bytes");
    const plane = height * width;
    const prepared = Array.from({ length: n }, (_, i) => {
      const data = Uint8Array.from(
        { length: 3 * plane },
        (_, k) => bytes[(i * 3 + (k % 3)) * plane + Math.floor(k / 3)] ?? 0,
      );
      return resizeBilinearTensorflow({ width, height, data }, 299, 299).data.map((v) => (v - 128) / 128);
    });
    return run(
      drawInception(indexOf(weights)),
      float([n, 3, 299, 299], Float32Array.from(prepared.flatMap((p) => [...p]))),
    );
  },
};

describe.each(namesIn("vision"))("%s", (name) => {
  it("computes what the program it comes from computes", async () => {
    const golden = description(`vision/${name}`, schema);
    const recorded = await tensors(`vision/${name}`);
    const outputs = await COMPUTE[golden.network](golden, recorded);
    const keys = ["features", "logits", "distance"].filter((key) => recorded.has(key));
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      const actual = outputs[key];
      if (!actual) throw new Error(`no output ${key}`);
      expectClose(actual, recorded.float(key), { within: NETWORK, what: key });
    }
  });
});

describe("sizes", { timeout: 240_000 }, async () => {
  const { sizes } = description(
    "resize",
    z.object({ sizes: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])) }),
  );
  const recorded = await tensors("resize");

  it.each(sizes.map((size, i) => ({ size, i })))("$size as TensorFlow 1 and clean-fid have them", ({ size, i }) => {
    const [height, width, h, w] = size;
    const image = { width, height, data: recorded.bytes(`${i}/bytes`) };
    const worst = (a: FloatTensor, key: string) => {
      const b = recorded.float(key);
      expect(a.shape.slice(1)).toEqual(b.shape);
      return a.data.reduce((m, v, k) => Math.max(m, Math.abs(v - (b.data[k] ?? Number.NaN))), 0);
    };
    expect(worst(resizeBilinearTensorflow(image, w, h), `${i}/tensorflow`)).toBeLessThan(1e-3);
    expect(worst(resizeBicubicFloat(image, w, h), `${i}/clean`)).toBeLessThan(1e-3);
  });
});
