import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readFloats } from "../../src/checkpoint/index.js";
import { deriveInFile, openWeights } from "../../src/checkpoint/node/index.js";
import { createBuilder, type Graph } from "../../src/graph/index.js";
import { derivations, packedBytes, sessionOf } from "../../src/networks/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { count, createRng, float, PACKED, type PackedFormat, valuesFrom, type Weight } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";
import { tensors } from "../support/parity.js";

const root = temporaryFolder();
process.env["XDG_CACHE_HOME"] = root;
const file = path.join(root, "every.gguf");
const recorded = await tensors("gguf");
writeFileSync(file, recorded.bytes("file"));
const { weights } = await openWeights(file);
const FORMATS = Object.keys(PACKED) as PackedFormat[];
const COLUMNS = 512;

/** A matrix of the gguf package in a block format: normal numbers where it can quantise, else random blocks. */
function matrix(format: PackedFormat): Weight {
  const weight = weights.get(`normal.${format.toUpperCase()}`) ?? weights.get(`random.${format.toUpperCase()}`);
  if (!weight) throw new Error(`no matrix in ${format}`);
  return weight;
}

const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());
const precision = { compute: "float32", unpack: "per-call", derive: deriveInFile } as const;

const layer = (weight: Weight): Graph => {
  const g = createBuilder();
  return g.finish({ y: g.linear(g.input("x", ["B", weight.shape[1] ?? 0]), g.weight(weight)) });
};

async function run(graph: Graph, inputs: Readonly<Record<string, ReturnType<typeof float>>>): Promise<Float32Array> {
  const { session, graph: ready } = await sessionOf("layer", runtime, graph, precision);
  expect([...ready.weights.values()].every((w) => w.packed !== undefined || w.bits === 4)).toBe(true);
  try {
    const y = (await session.run(inputs)).outputs["y"];
    if (!y || !(y.data instanceof Float32Array)) throw new Error("no output");
    return y.data;
  } finally {
    await session.release();
  }
}

/** Product of x [n, I] and the rows of a matrix [O, I] in double precision. */
function product(x: Float32Array, w: Float32Array, columns: number): number[] {
  const [n, rows] = [x.length / columns, w.length / columns];
  return Array.from({ length: n * rows }, (_, at) => {
    const [i, o] = [Math.floor(at / rows), at % rows];
    let sum = 0;
    for (let k = 0; k < columns; k++) sum += (x[i * columns + k] ?? 0) * (w[o * columns + k] ?? 0);
    return sum;
  });
}

function mustBeNear(actual: Float32Array, expected: readonly number[]): void {
  const size = Math.max(...expected.map(Math.abs));
  expect(actual.length).toBe(expected.length);
  for (const [i, v] of expected.entries()) expect(Math.abs((actual[i] ?? Number.NaN) - v)).toBeLessThan(1e-5 * size);
}

describe("a matrix of a GGUF file that stays packed", { timeout: 120_000 }, () => {
  it.each(FORMATS)("has in %s the values of the gguf package, to the bit", async (format) => {
    const ones = new Float32Array(COLUMNS * COLUMNS);
    for (let i = 0; i < COLUMNS; i++) ones[i * COLUMNS + i] = 1;
    const weight = matrix(format);
    const y = await run(layer(weight), { x: float([COLUMNS, COLUMNS], ones) });
    const expected = recorded.float(weight.name).data;
    // A sum with zeros makes −0 to 0.
    const [rows = 0] = weight.shape;
    const columns = Array.from({ length: rows }, (_, o) => Array.from({ length: COLUMNS }, (_, i) => y[i * rows + o]));
    expect(columns.flat()).toEqual(Array.from(expected, (v) => v + 0));
  });

  it.each(FORMATS.flatMap((format) => [1, 37].map((n) => [format, n] as const)))(
    "gives in %s the product with %i rows",
    async (format, n) => {
      const weight = matrix(format);
      const x = createRng(4).randn([n, COLUMNS]);
      mustBeNear(await run(layer(weight), { x }), product(x.data, await readFloats(weight), COLUMNS));
    },
  );

  it.each<[PackedFormat, number, number, number]>([
    ["q4_k", 512, 2, 512],
    ["q8_0", 512, 1, 512],
    // Rows that begin within a block, on a run of values with one scale.
    ["q6_k", 48, 5, 112],
    ["q4_k", 96, 3, 160],
  ])("may be rows of another, in %s from value %i on, [%i, %i]", async (format, from, rows, columns) => {
    const all = matrix(format);
    const shape = [rows, columns];
    const weight: Weight = { ...all, name: "rows", shape, bytes: valuesFrom(all, from, rows * columns) };
    const x = createRng(5).randn([4, columns]);
    mustBeNear(await run(layer(weight), { x }), product(x.data, await readFloats(weight), columns));
  });

  it("takes an adapter beside it", async () => {
    const weight = matrix("q4_0");
    const [rows = 0] = weight.shape;
    const g = createBuilder();
    const [x, down, up] = [g.input("x", ["B", COLUMNS]), g.input("down", [COLUMNS, 2]), g.input("up", [2, rows])];
    const graph = g.finish({ y: g.add(g.linear(x, g.weight(weight)), g.matmul(g.matmul(x, down), up)) });
    const rng = createRng(6);
    const feeds = { x: rng.randn([3, COLUMNS]), down: rng.randn([COLUMNS, 2]), up: rng.randn([2, rows]) };
    const values = await readFloats(weight);
    const merged = values.map((v, at) => {
      const [o, i] = [Math.floor(at / COLUMNS), at % COLUMNS];
      return v + [0, 1].reduce((s, r) => s + (feeds.down.data[2 * i + r] ?? 0) * (feeds.up.data[r * rows + o] ?? 0), 0);
    });
    mustBeNear(await run(graph, feeds), product(feeds.x.data, merged, COLUMNS));
  });

  it("is counted with its scales and minima, and is what its file takes", () => {
    const bits = Object.fromEntries(
      FORMATS.map((format) => {
        const weight = matrix(format);
        return [format, (8 * (packedBytes(weight) ?? 0)) / count(weight.shape)];
      }),
    );
    expect(bits).toEqual({
      q4_0: 5,
      q4_1: 6,
      q5_0: 9,
      q5_1: 10,
      q8_0: 9,
      q2_k: 8,
      q3_k: 6,
      q4_k: 6,
      q5_k: 10,
      q6_k: 10,
      iq4_nl: 9,
      iq4_xs: 9,
    });
  });

  it("is unpacked elsewhere: by default, where it is no plain matrix, and where runs are cut", () => {
    const weight = matrix("q4_0");
    const by = (w: Weight, graph = layer(w)) => derivations(graph, precision).get(w.name)?.by;
    expect(by(weight)).toBe("packed in int4");
    expect(derivations(layer(weight), { compute: "float32" }).get(weight.name)?.by).toBe("unpacked to float32");
    const cut: Weight = { ...weight, shape: [2, 40], bytes: valuesFrom(weight, 0, 80) };
    expect(by(cut)).toBe("unpacked to float32");
    const late: Weight = { ...weight, shape: [2, 32], bytes: valuesFrom(weight, 8, 64) };
    expect(by(late)).toBe("unpacked to float32");
    const g = createBuilder();
    const table = g.finish({ y: g.embedding(g.weight(weight), g.input("ids", ["B", 4], "int64")) });
    expect(by(weight, table)).toBe("unpacked to float32");
  });
});
