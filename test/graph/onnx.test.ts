import { afterAll, describe, expect, it } from "vitest";
import { type Builder, createBuilder, type EncodeOptions, encodeGraph, type Value } from "../../src/graph/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { createRng, type FloatTensor, float, int, type Tensor } from "../../src/tensor/index.js";

const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

async function run(
  draw: (g: Builder) => Value,
  feeds: Record<string, Tensor>,
  options: EncodeOptions = {},
): Promise<FloatTensor> {
  const g = createBuilder();
  const session = await runtime.load(encodeGraph(g.finish({ y: draw(g) }), options));
  const y = (await session.run(feeds)).outputs["y"];
  await session.release();
  if (y?.dtype !== "float32") throw new Error("float expected");
  return y;
}

const values = (...v: number[]) => Float32Array.from(v);
const bytesOf = (a: Float32Array) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
/** 1.5 as a float16. */
const half = {
  name: "half",
  dtype: "float16",
  shape: [1, 1],
  bytes: { in: "memory", source: { name: "none" }, bytes: Uint8Array.of(0x00, 0x3e) },
} as const;
const close = (actual: FloatTensor, shape: number[], expected: readonly number[], digits = 5) => {
  expect(actual.shape).toEqual(shape);
  for (const [i, e] of expected.entries()) expect(actual.data[i]).toBeCloseTo(e, digits);
};

describe("lowering to ONNX", () => {
  it("linear keeps leading dimensions and adds the bias", async () => {
    // [1,2] · [[3,5],[7,11],[13,17]]ᵀ + [100,200,300]
    const y = await run(
      (g) =>
        g.linear(
          g.input("x", ["B", 1, 2]),
          g.constant([3, 2], values(3, 5, 7, 11, 13, 17)),
          g.constant([3], values(100, 200, 300)),
        ),
      { x: float([2, 1, 2], values(1, 2, -1, 0)) },
    );
    close(y, [2, 1, 3], [113, 229, 347, 97, 193, 287]);
  });

  it.each(["float16", "bfloat16"] as const)(
    "casts rows of a table in %s, and whole tables that are matrices too",
    async (dtype) => {
      // Rows 1, 2 / 3, 4 / 5, 6: their float16 and bfloat16 by bits.
      const bits = {
        float16: [0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600],
        bfloat16: [0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0],
      };
      const bytes = new Uint8Array(Uint16Array.from(bits[dtype]).buffer);
      const table = {
        name: "t",
        dtype,
        shape: [3, 2],
        bytes: { in: "memory", source: { name: "none" }, bytes },
      } as const;
      const ids = { ids: { dtype: "int64" as const, shape: [1, 2], data: BigInt64Array.of(2n, 0n) } };
      const rows = (g: Builder) => g.embedding(g.weight(table), g.input("ids", ["B", 2], "int64"));
      const tied = (g: Builder) => {
        const t = g.weight(table);
        return g.linear(g.embedding(t, g.input("ids", ["B", 2], "int64")), t);
      };
      for (const castRows of [true, false]) {
        close(await run(rows, ids, { castRows }), [1, 2, 2], [5, 6, 1, 2]);
        // [5, 6] and [1, 2] times each row
        close(await run(tied, ids, { castRows }), [1, 2, 3], [17, 39, 61, 5, 11, 17]);
        const g = createBuilder();
        const model = Buffer.from(
          encodeGraph(g.finish({ y: rows(g) }), { castRows }).encode(new Map([["w0", { raw: bytes }]])),
        );
        expect(model.indexOf("Gather") < model.indexOf("Cast")).toBe(castRows);
      }
    },
  );

  it("casts a weight once, or for each operation in a graph with gradients", async () => {
    const draw = (g: Builder) => {
      const w = g.weight(half);
      return g.linear(g.linear(g.input("x", ["B", 1]), w), w);
    };
    for (const fusible of [true, false]) {
      close(await run(draw, { x: float([1, 1], values(2)) }, { fusible }), [1, 1], [4.5]);
      const g = createBuilder();
      const bytes = new Map([["w0", { raw: half.bytes.bytes }]]);
      const model = Buffer.from(encodeGraph(g.finish({ y: draw(g) }), { fusible }).encode(bytes)).toString("latin1");
      const [before = "", ...products] = model.split("Gemm");
      expect(products).toHaveLength(2);
      expect(before.split("Cast").length - 1).toBe(fusible ? 1 : 2);
    }
    const g = createBuilder();
    const session = await runtime.load(encodeGraph(g.finish({ y: g.weight(half) }), { fusible: false }));
    expect((await session.run({})).outputs["y"]).toMatchObject({ dtype: "float32", data: values(1.5) });
    await session.release();
  });

  it("multiplies an int8 matrix by the scales of its blocks, beside other operations", async () => {
    // Row 1: 32 codes of 1 at 0.5 and 32 of −2 at 0.25; row 2: 3 at 1 and nothing. x is 1 in the first block, 2 in the second.
    const codes = Uint8Array.from({ length: 128 }, (_, i) => 128 + ([1, -2, 3, 0][i >> 5] ?? 0));
    const memory = (bytes: Uint8Array) => ({ in: "memory", source: { name: "none" }, bytes }) as const;
    const scales = {
      name: "s",
      dtype: "float32",
      shape: [2, 2],
      bytes: memory(bytesOf(values(0.5, 0.25, 1, 1))),
    } as const;
    const w = { name: "w", dtype: "uint8", shape: [2, 64], bytes: memory(codes), scales } as const;
    const y = await run(
      (g) => {
        const x = g.input("x", ["B", 3, 64]);
        return g.add(g.linear(x, g.weight(w), g.constant([2], values(100, 200))), g.constant([1], values(1)));
      },
      {
        x: float(
          [1, 3, 64],
          Float32Array.from({ length: 192 }, (_, i) => (i % 64 < 32 ? 1 : 2) * (1 + Math.floor(i / 64))),
        ),
      },
    );
    // 32 · (1 · 0.5 − 2 · 2 · 0.25) = −16, 32 · 3 = 96; twice and three times that in the next rows.
    close(y, [1, 3, 2], [85, 297, 69, 393, 53, 489], 3);
  });

  // On the processor ONNX Runtime keeps float32 between kernels that it has in float32 only; what constants were rounded to shows the types.
  it.each<[string, (g: Builder, x: Value) => Value, number]>([
    ["a product", (g, x) => g.linear(x, g.constant([1, 1], values(0.1))), 0.0999755859375],
    ["what comes before the first product", (g, x) => g.mul(x, g.constant([1], values(0.1))), Math.fround(0.1)],
    [
      "what comes after a product",
      (g, x) => g.mul(g.linear(x, g.constant([1, 1], values(1))), g.constant([1], values(0.1))),
      0.0999755859375,
    ],
    ["a weight in float16", (g, x) => g.linear(x, g.weight(half)), 1.5],
  ])("float16 is the type of %s as it should be", async (_, draw, expected) => {
    const feeds = { x: float([1, 1], values(1)) };
    const y = await run((g) => draw(g, g.input("x", ["B", 1])), feeds, { type: "float16" });
    close(y, [1, 1], [expected], 9);
  });

  it("float16 leaves means and their scale in float32", async () => {
    // Mean 0 and deviation 1 of −1 and 1; a scale of 0.1 that was float16 would give 0.09998.
    const feeds = { x: float([1, 2], values(-1, 1)) };
    const draw = (g: Builder) =>
      g.layerNorm(g.input("x", ["B", 2]), g.constant([2], values(0.1, 0.1)), g.constant([2], values(0, 0)), 1e-12);
    close(await run(draw, feeds, { type: "float16" }), [1, 2], [-0.1, 0.1], 7);
  });

  it("RMS norm divides by the root of the mean square and keeps the mean", async () => {
    // 1 and 7: mean square 25. 3 and 3 with epsilon 16: 9 + 16.
    const feeds = { x: float([2, 2], values(1, 7, 3, 3)) };
    const norm = (epsilon: number) => (g: Builder) =>
      g.rmsNorm(g.input("x", ["B", 2]), g.constant([2], values(10, 100)), epsilon);
    close(await run(norm(1e-12), feeds), [2, 2], [2, 140, 10, 100], 4);
    close(await run(norm(16), feeds), [2, 2], [10 / Math.sqrt(41), 700 / Math.sqrt(41), 6, 60], 4);
  });

  it("rotary embedding turns pairs of each head by the angle of their position", async () => {
    // Two tokens, two heads of four features: the first token is not turned, the second by 90° in its first pair only.
    const x = float([1, 2, 8], values(1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8));
    const turned = (interleaved: boolean) => (g: Builder) =>
      g.rope(
        g.input("x", ["B", 2, 8]),
        g.constant([2, 2], values(1, 1, 0, 1)),
        g.constant([2, 2], values(0, 0, 1, 0)),
        {
          interleaved,
        },
      );
    close(await run(turned(true), { x }), [1, 2, 8], [1, 2, 3, 4, 5, 6, 7, 8, -2, 1, 3, 4, -6, 5, 7, 8]);
    close(await run(turned(false), { x }), [1, 2, 8], [1, 2, 3, 4, 5, 6, 7, 8, -3, 2, 1, 4, -7, 6, 5, 8]);
  });

  it("group norm normalises each group of each sample on its own", async () => {
    // two groups of two channels, one row of two pixels: group 1 of sample 1 is 1 3 5 7, mean 4, deviation √5
    const x = float([2, 4, 1, 2], values(1, 3, 5, 7, 10, 10, 10, 10, 0, 0, 0, 4, 2, 2, 6, 6));
    const y = await run(
      (g) =>
        g.groupNorm(
          g.input("x", ["B", 4, 1, 2]),
          g.constant([4], values(1, 2, 1, 1)),
          g.constant([4], values(0, 0, 5, 0)),
          { groups: 2, epsilon: 0 + 1e-12 },
        ),
      { x },
    );
    const s = Math.sqrt(5);
    close(y, [2, 4, 1, 2], [-3 / s, -1 / s, 2 / s, 6 / s, 5, 5, 0, 0], 4);
    // sample 2, group 2: 2 2 6 6, mean 4, deviation 2
    expect([...y.data.slice(12)]).toEqual([4, 4, 1, 1].map((v) => expect.closeTo(v, 4)));
  });

  it.each([true, false])("attention is softmax(q kᵀ / √d) v for each head (fused: %s)", async (fusedAttention) => {
    const rng = createRng(3);
    const [q, k, v] = [rng.randn([2, 3, 8]), rng.randn([2, 5, 8]), rng.randn([2, 5, 8])];
    const y = await run(
      (g) => g.attention(g.input("q", ["B", 3, 8]), g.input("k", ["B", 5, 8]), g.input("v", ["B", 5, 8]), { heads: 2 }),
      { q, k, v },
      { fusedAttention },
    );
    const expected: number[] = [];
    const at = (t: FloatTensor, b: number, l: number, d: number) =>
      t.data[(b * (t.shape[1] ?? 0) + l) * 8 + d] ?? Number.NaN;
    for (let b = 0; b < 2; b++) {
      for (let l = 0; l < 3; l++) {
        for (let d = 0; d < 8; d++) {
          const head = Math.floor(d / 4) * 4;
          const scores = [0, 1, 2, 3, 4].map(
            (m) => [0, 1, 2, 3].reduce((s, i) => s + at(q, b, l, head + i) * at(k, b, m, head + i), 0) / 2,
          );
          const top = Math.max(...scores);
          const weights = scores.map((s) => Math.exp(s - top));
          const sum = weights.reduce((a, w) => a + w, 0);
          expected.push(weights.reduce((s, w, m) => s + (w / sum) * at(v, b, m, d), 0));
        }
      }
    }
    close(y, [2, 3, 8], expected);
  });

  it.each([true, false])("causal attention hides what comes later (fused: %s)", async (fusedAttention) => {
    const rng = createRng(4);
    const x = rng.randn([1, 4, 4]);
    const draw = (g: Builder) => {
      const i = g.input("x", ["B", 4, 4]);
      return g.attention(i, i, i, { heads: 1, causal: true });
    };
    const changed = float(
      [1, 4, 4],
      x.data.map((v, i) => (i < 8 ? v : v + 1)),
    );
    const [a, b] = [await run(draw, { x }, { fusedAttention }), await run(draw, { x: changed }, { fusedAttention })];
    expect([...a.data.slice(0, 8)]).toEqual([...b.data.slice(0, 8)]);
    expect(a.data[12]).not.toBeCloseTo(b.data[12] ?? 0, 3);
    // the first token sees itself alone
    expect([...a.data.slice(0, 4)]).toEqual([...x.data.slice(0, 4)].map((v) => expect.closeTo(v, 5)));
  });

  it.each([
    [true, 2 ** 20],
    [false, 2 ** 20],
    [false, 100],
  ])("a bias hides keys from attention (fused: %s, bytes of scores: %s)", async (fusedAttention, scoreBytes) => {
    const rng = createRng(6);
    const [q, k, v] = [rng.randn([2, 3, 8]), rng.randn([2, 5, 8]), rng.randn([2, 5, 8])];
    const draw = (keys: number, bias?: FloatTensor) => (g: Builder) => {
      const [a, b, c] = [g.input("q", ["B", 3, 8]), g.input("k", ["B", keys, 8]), g.input("v", ["B", keys, 8])];
      return g.attention(a, b, c, { heads: 2, ...(bias && { bias: g.constant(bias.shape, bias.data) }) });
    };
    // Keys 3 and 4 are hidden from every query.
    const bias = float(
      [1, 1, 3, 5],
      Float32Array.from({ length: 15 }, (_, i) => (i % 5 < 3 ? 0 : -30_000)),
    );
    const hidden = await run(draw(5, bias), { q, k, v }, { fusedAttention, scoreBytes });
    const first = ({ data }: FloatTensor) =>
      float([2, 3, 8], Float32Array.of(...data.subarray(0, 24), ...data.subarray(40, 64)));
    const fewer = await run(draw(3), { q, k: first(k), v: first(v) }, { fusedAttention, scoreBytes });
    close(hidden, [2, 3, 8], [...fewer.data], 5);
    expect(hidden.data[0]).not.toBeCloseTo((await run(draw(5), { q, k, v }, { fusedAttention })).data[0] ?? 0, 3);
  });

  it.each([
    [true, 2 ** 20],
    [false, 2 ** 20],
    [false, 20],
  ])(
    "a bias of each head, and a scale of the scores (fused: %s, bytes of scores: %s)",
    async (fusedAttention, scoreBytes) => {
      // Two heads of one feature, two queries, two keys: head h has scores 3 q k + bias[h].
      const [q, k, v] = [
        float([1, 2, 2], Float32Array.of(1, 0, 0, 1)),
        float([1, 2, 2], Float32Array.of(1, 2, 0, 1)),
        float([1, 2, 2], Float32Array.of(1, 10, 3, 20)),
      ];
      const bias = Float32Array.of(0, 1, 0, 0, 2, 0, 0, -1);
      const draw = (g: Builder) => {
        const [a, b, c] = [g.input("q", [1, 2, 2]), g.input("k", [1, 2, 2]), g.input("v", [1, 2, 2])];
        return g.attention(a, b, c, { heads: 2, bias: g.constant([1, 2, 2, 2], bias), scale: 3 });
      };
      const first = (a: number, b: number) => 1 / (1 + Math.exp(b - a));
      const mixed = (a: number, b: number, x: number, y: number) => first(a, b) * x + (1 - first(a, b)) * y;
      const expected = [mixed(3, 1, 1, 3), mixed(2, 0, 10, 20), mixed(0, 0, 1, 3), mixed(6, 2, 10, 20)];
      close(await run(draw, { q, k, v }, { fusedAttention, scoreBytes }), [1, 2, 2], expected, 5);
    },
  );

  it.each([false, true])("attention is the same some queries after the other (causal: %s)", async (causal) => {
    const rng = createRng(5);
    const [q, k, v] = [rng.randn([2, 7, 6]), rng.randn([2, 7, 6]), rng.randn([2, 7, 6])];
    const draw = (g: Builder) => {
      const [a, b, c] = (["q", "k", "v"] as const).map((name) => g.input(name, ["B", 7, 6]));
      if (!a || !b || !c) throw new Error("three inputs expected");
      return g.attention(a, b, c, { heads: 3, causal });
    };
    const whole = await run(draw, { q, k, v }, { fusedAttention: false });
    // 7 queries of 3 heads and 7 keys are 588 bytes: 84 each
    for (const scoreBytes of [588, 587, 200, 84, 1]) {
      const parts = await run(draw, { q, k, v }, { fusedAttention: false, scoreBytes });
      close(parts, [2, 7, 6], [...whole.data], 6);
    }
    if (causal) close(await run(draw, { q, k, v }, { scoreBytes: 100 }), [2, 7, 6], [...whole.data], 5);
    expect(whole.data[0]).not.toBeCloseTo(whole.data[6] ?? 0, 3);
  });

  it("nearest resize to odd sizes takes pixel floor(i · from / to), height and width apart", async () => {
    const y = await run((g) => g.resizeNearest(g.input("x", ["B", 1, 2, 3]), 3, 5), {
      x: float([1, 1, 2, 3], values(1, 2, 3, 4, 5, 6)),
    });
    close(y, [1, 1, 3, 5], [1, 1, 2, 2, 3, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6]);
  });

  it("largest and mean of windows, with padding that is not counted, counted, or hangs over", async () => {
    // 1 2 3 4 / 5 6 7 8 / 9 10 11 12 with the sign turned: padding must not win as a 0 would
    const x = float([1, 1, 3, 4], values(-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12));
    const input = (g: Builder) => g.input("x", ["B", 1, 3, 4]);
    const max = (o: { pad?: number; ceil?: boolean }) =>
      run((g) => g.maxPool(input(g), { kernel: 2, stride: 2, ...o }), { x });
    close(await max({}), [1, 1, 1, 2], [-1, -3]);
    close(await max({ ceil: true }), [1, 1, 2, 2], [-1, -3, -9, -11]);
    close(await max({ pad: 1 }), [1, 1, 2, 3], [-1, -2, -4, -5, -6, -8]);
    const mean = (countPad: boolean) =>
      run((g) => g.averagePool(input(g), { kernel: 3, stride: 2, pad: 1, countPad }), { x });
    // top left window holds 1 2 5 6, top right 3 4 7 8 with the column before: 2 3 4 6 7 8 is inside
    close(await mean(false), [1, 1, 2, 2], [-3.5, -5, -7.5, -9]);
    close(await mean(true), [1, 1, 2, 2], [-14 / 9, -30 / 9, -30 / 9, -54 / 9]);
    close(await run((g) => g.sqrt(g.input("x", [2])), { x: float([2], values(9, 2)) }), [2], [3, Math.SQRT2]);
  });

  it("transposed convolution spreads each element by the kernel, and leaves 0 where no window reaches", async () => {
    // stride 2 over 3 × 4 padded at the left only: a window each at columns −1, 1; row 2 and column 3 are met by none
    const y = await run(
      (g) =>
        g.convTranspose(g.input("x", ["B", 1, 1, 2]), g.constant([1, 1, 2, 2], values(1, 10, 100, 1000)), {
          ...{ stride: 2, pads: [0, 1, 0, 0], groups: 1 },
          ...{ height: 3, width: 4 },
        }),
      { x: float([1, 1, 1, 2], values(3, 5)) },
    );
    close(y, [1, 1, 3, 4], [30, 5, 50, 0, 3000, 500, 5000, 0, 0, 0, 0, 0]);
  });

  it("convolution pads top, left, bottom, right as told", async () => {
    // a 3×3 sum over [[1,2],[3,4]] padded below and at the right only, stride 2
    const y = await run(
      (g) =>
        g.conv(g.input("x", ["B", 1, 2, 2]), g.constant([1, 1, 3, 3], values(1, 1, 1, 1, 1, 1, 1, 1, 1)), undefined, {
          stride: 2,
          pads: [0, 0, 1, 1],
        }),
      { x: float([1, 1, 2, 2], values(1, 2, 3, 4)) },
    );
    close(y, [1, 1, 1, 1], [10]);
  });

  it("activations follow their formulas", async () => {
    const x = float([4], values(-2, -0.5, 0.5, 3));
    const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
    close(
      await run((g) => g.silu(g.input("x", [4])), { x }),
      [4],
      [...x.data].map((v) => v * sigmoid(v)),
    );
    close(
      await run((g) => g.quickGelu(g.input("x", [4])), { x }),
      [4],
      [...x.data].map((v) => v * sigmoid(1.702 * v)),
    );
    // x Φ(x) with Φ(−2) = 0.0227501, Φ(−0.5) = 0.3085375, Φ(0.5) = 0.6914625, Φ(3) = 0.9986501
    close(await run((g) => g.gelu(g.input("x", [4])), { x }), [4], [-0.0455003, -0.1542688, 0.3457312, 2.9959503]);
    close(
      await run((g) => g.geluTanh(g.input("x", [4])), { x }),
      [4],
      [...x.data].map((v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))),
    );
  });

  it("picks one row for each sample and looks up words", async () => {
    const table = values(0, 1, 10, 11, 20, 21);
    const y = await run(
      (g) =>
        g.pickRow(
          g.embedding(g.constant([3, 2], table), g.input("ids", ["B", 2], "int64")),
          g.input("at", ["B"], "int64"),
        ),
      { ids: int([2, 2], [2, 0, 1, 2]), at: int([2], [0, 1]) },
    );
    close(y, [2, 2], [20, 21, 20, 21]);
  });

  it("repeats a sample over the batch", async () => {
    const y = await run((g) => g.expandBatch(g.constant([1, 1, 2], values(5, 6)), g.input("x", ["B", 1])), {
      x: float([3, 1]),
    });
    close(y, [3, 1, 2], [5, 6, 5, 6, 5, 6]);
  });

  it("takes weights from memory in half precision", async () => {
    // 1.5 and −2 in float16 are 0x3E00 and 0xC000
    const bytes = new Uint8Array(Uint16Array.of(0x3e00, 0xc000).buffer);
    const y = await run(
      (g) =>
        g.mul(
          g.input("x", [2]),
          g.weight({
            name: "w",
            dtype: "float16",
            shape: [2],
            bytes: { in: "memory", source: { name: "none" }, bytes },
          }),
        ),
      { x: float([2], values(2, 3)) },
    );
    close(y, [2], [3, -6]);
  });
});
