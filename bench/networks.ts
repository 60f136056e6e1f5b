/** Times single networks: a UNet step in milliseconds, and as a share of the machine's MatMul peak. */
import { type Builder, createBuilder, encodeGraph, floatingPointOperations, type Graph } from "../src/graph/index.js";
import type { DenoiserShape, DrawingWeights } from "../src/models/index.js";
import type { Runtime } from "../src/runtime/index.js";
import { openRuntime } from "../src/runtime/node/index.js";
import {
  createRng,
  type FloatTensor,
  float,
  int,
  storedBytes,
  type Tensor,
  type WeightIndex,
} from "../src/tensor/index.js";
import { middle, type Report } from "./figures.js";

/** Fastest float32 MatMul of two 2048 × 2048 matrices in GFLOP/s, the reference of all shares. */
export async function matmulPeak(runtime: Runtime): Promise<number> {
  const n = 2048;
  const g: Builder = createBuilder();
  const graph = g.finish({ y: g.linear(g.input("x", [n, n]), g.input("w", [n, n])) });
  const session = await runtime.load(encodeGraph(graph));
  const [x, w] = [createRng(0).randn([n, n]), createRng(1).randn([n, n])];
  const times = [];
  for (let i = 0; i < 7; i++) times.push((await session.run({ x, w })).milliseconds);
  await session.release();
  return floatingPointOperations(graph, 1) / Math.min(...times) / 1e6;
}

/** Layers of a slider of the Concept Sliders trainer (c3lier, noxattn): 346 in SDXL's UNet. */
const isSliderLayer = (name: string) => /attn1\.to_|\.(resnets|downsamplers|upsamplers)\./.test(name);

/** Constant inputs and scales of a graph with `adapters` sliders of rank 4. */
function sliderInputs(graph: Graph, adapters: number, batch: number) {
  const rank = 4 * adapters;
  const held = [...graph.inputs].flatMap(([name, { shape, dtype }]): [string, Tensor][] => {
    if (!shape.some((d) => typeof d === "string" && d.startsWith("rank"))) return [];
    const dims = shape.map((d) => (typeof d === "number" ? d : rank));
    if (dtype === "int64") return [[name, int(dims, new Array<number>(rank).fill(0))]];
    const tensor = createRng(5).randn(dims);
    return [[name, { ...tensor, data: tensor.data.map((v) => v * 1e-3) }]];
  });
  return { held: Object.fromEntries(held), scales: float([batch, 1], new Float32Array(batch).fill(1)) };
}

/** Milliseconds of a step with as many sliders of rank 4, 0 or more. */
export async function timeSliders(o: Omit<StepOptions, "label">, adapters: number): Promise<ReturnType<typeof middle>> {
  const runtime = openRuntime({ threads: o.threads });
  try {
    const layers = [...o.index.weights.keys()].filter(isSliderLayer).map((n) => n.replace(/\.(weight|bias)$/, ""));
    const loraLayers = new Set(adapters > 0 ? layers : []);
    const graph = o.draw({ ...o.index, loraLayers }, o.shape);
    const session = await runtime.load(encodeGraph(graph));
    const { held, scales } = sliderInputs(graph, adapters, o.batch);
    await session.hold("factors", held);
    const own = [...graph.inputs].filter(([name]) => !(name in held) && name !== "adapter_scales");
    const plain = feedsFor({ ...graph, inputs: new Map(own) }, o.batch);
    const feeds = adapters > 0 ? { ...plain, adapter_scales: scales } : plain;
    const times = [];
    for (let i = 0; i <= o.runs; i++) times.push((await session.run(feeds, "factors")).milliseconds);
    await session.release();
    return middle(times.slice(1));
  } finally {
    await runtime.close();
  }
}

/** Random feeds for every input of a UNet. */
export function feedsFor(graph: Graph, batch: number): Record<string, Tensor> {
  return Object.fromEntries(
    [...graph.inputs].map(([name, { shape }]): [string, FloatTensor] => {
      const dims = shape.map((d) => (typeof d === "number" ? d : batch));
      if (name === "timestep") return [name, float(dims, new Float32Array(batch).fill(999))];
      return [name, createRng(7).randn(dims)];
    }),
  );
}

export interface StepOptions {
  readonly label: string;
  /** Builds the graph of the network. */
  readonly draw: (index: DrawingWeights, shape: DenoiserShape) => Graph;
  readonly index: WeightIndex;
  readonly shape: { readonly height: number; readonly width: number; readonly tokens: number };
  readonly batch: number;
  readonly runs: number;
  readonly threads: number;
  /** Prepares the weights for another compute type; default: stored weights are mapped. */
  readonly prepare?: (graph: Graph) => Promise<Graph>;
}

/** Loads a UNet in its own runtime, runs it, and reports time, speed and memory. Returns the median milliseconds. */
export async function timeStep(o: StepOptions, peak: number, report: Report): Promise<number> {
  const runtime = openRuntime({ threads: o.threads });
  try {
    const drawn = o.draw(o.index, o.shape);
    const graph = (await o.prepare?.(drawn)) ?? drawn;
    const before = process.memoryUsage.rss();
    const start = performance.now();
    const session = await runtime.load(encodeGraph(graph));
    report({ name: `${o.label}: load`, value: (performance.now() - start) / 1000, unit: "s", aim: "< 60" });
    const feeds = feedsFor(graph, o.batch);
    const times = [];
    for (let i = 0; i <= o.runs; i++) times.push((await session.run(feeds)).milliseconds);
    const { median, note } = middle(times.slice(1));
    report({ name: `${o.label}: step`, value: median, unit: "ms", note });
    const speed = floatingPointOperations(graph, o.batch) / median / 1e6;
    report({ name: `${o.label}: speed`, value: speed, unit: "GFLOP/s" });
    report({ name: `${o.label}: share of MatMul peak`, value: speed / peak, unit: "share" });
    const resident = process.memoryUsage.rss() - before;
    const weights = [...o.index.weights.values()].reduce((n, w) => n + storedBytes(w), 0);
    report({ name: `${o.label}: resident memory`, value: resident / 1e6, unit: "MB" });
    report({ name: `${o.label}: resident memory / weights`, value: resident / weights, unit: "ratio" });
    await session.release();
    return median;
  } finally {
    await runtime.close();
  }
}
