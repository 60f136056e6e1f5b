/**
 * A family at the size of its released model, with random weights: memory and time by phase of a run that loads one network after the other,
 * and a forward pass of its transformer as a share of the MatMul peak and beside PyTorch's.
 */
import { spawnSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { deriveInFile, openWeights } from "../src/checkpoint/node/index.js";
import { generate } from "../src/generate/index.js";
import { floatingPointOperations } from "../src/graph/index.js";
import type { Denoiser, DenoiserCall, DenoiserShape } from "../src/models/index.js";
import { type Compute, encodedFor, prepareWeights } from "../src/networks/index.js";
import { type OpenedPair, openPair } from "../src/open/index.js";
import { openRuntime } from "../src/runtime/node/index.js";
import { createRng, formatBytes, type RgbImage } from "../src/tensor/index.js";
import { findPython } from "./diffusers.js";
import { middle, type Report } from "./figures.js";
import { spread } from "./memory.js";
import { openMonitor } from "./memory-monitor.js";
import { makeSyntheticFamily, type SyntheticFamily } from "./synthetic-transformer.js";
import { FAMILY_MODELS, type FamilyModel, type FamilyName } from "./transformers.js";

export interface FamilyOptions {
  readonly name: FamilyName;
  /** Width and height of the picture in pixels. */
  readonly size: number;
  readonly threads: number;
  /** Memory in bytes that the run may use. */
  readonly budget: number;
  readonly compute: Compute;
  /** What is measured: the run by phase, a few blocks beside PyTorch, or both. */
  readonly parts: readonly ("run" | "blocks")[];
  /** Speed of a MatMul in GFLOP/s. */
  readonly peak: number;
}

const PHASES: Readonly<Record<string, string>> = {
  text: "text encoders",
  base: "base transformer, load and one row",
  distilled: "distilled transformer, load and one row",
  decoder: "decoding",
};

const PROMPT = "a lighthouse in a storm";

/** Calls of a few blocks that are timed, after one that is not. */
const RUNS = 3;

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Writes random weights, measures, and removes them. @throws MachineError if the disk is too small */
export async function runFamily(report: Report, options: FamilyOptions): Promise<void> {
  const model: FamilyModel = FAMILY_MODELS[options.name];
  const made = await makeSyntheticFamily(model, say);
  // What is derived of these weights goes with them.
  const cache = process.env["XDG_CACHE_HOME"];
  try {
    process.env["XDG_CACHE_HOME"] = path.join(made.folder, "cache");
    await mkdir(process.env["XDG_CACHE_HOME"], { recursive: true });
    const tokens = options.parts.includes("run") ? await measureRun(report, model, made, options) : TOKENS;
    if (options.parts.includes("blocks")) await measureBlocks(report, model, made, options, tokens);
  } finally {
    if (cache === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = cache;
    await made.remove();
  }
}

/** Text tokens of the few blocks where no run told them. */
const TOKENS = 512;

/** One row of each transformer and the decoding. Returns the number of text tokens that the transformer reads. */
async function measureRun(
  report: Report,
  { title }: FamilyModel,
  made: SyntheticFamily,
  { size, threads, budget, compute, peak }: FamilyOptions,
): Promise<number> {
  const label = `${title} at ${size} px, ${compute}`;
  const monitor = openMonitor();
  const models = { base: made.base, distilled: made.distilled, compute };
  const pair = await openPair(models, { threads, memoryBudget: budget });
  try {
    const request = {
      mode: "hybrid",
      steps: 2,
      switch: 1,
      prompts: [PROMPT],
      seeds: [0],
      size: { width: size, height: size },
      offload: "sequential",
    } as const;
    const { tokens, work } = await workOf(pair, made, size);
    say(
      `a forward pass is ${(work / 1e12).toFixed(1)} TFLOP, about ${Math.ceil(work / peak / 1e9)} s at the MatMul peak; there are two`,
    );
    const forwards: number[] = [];
    let ready = 0;
    let image: RgbImage | undefined;
    monitor.phase();
    for await (const event of generate(pair, request)) {
      if (event.type === "adjusted") for (const why of event.why) say(why);
      if (event.type === "loaded") {
        ready = performance.now();
        say(`${event.network} is loaded`);
      }
      if (event.type === "step") forwards.push(performance.now() - ready);
      if (event.type === "image") image = event.image;
      if (event.type === "released") {
        const { resident, own, seconds } = monitor.peak();
        const name = `${label}, ${PHASES[event.network] ?? event.network}`;
        report({
          name: `${name}: peak resident memory`,
          value: resident / 1e9,
          unit: "GB",
          aim: `< ${formatBytes(budget)}`,
        });
        if (own !== null) report({ name: `${name}: of it not mapped files`, value: own / 1e9, unit: "GB" });
        report({ name: `${name}: time`, value: seconds, unit: "s" });
        monitor.phase();
      }
    }
    if (forwards.length > 0) {
      const fastest = Math.min(...forwards);
      const note = `${middle(forwards).note}; ${(work / 1e12).toFixed(1)} TFLOP, ${tokens} text tokens`;
      report({ name: `${label}: forward pass`, value: fastest, unit: "ms", note });
      const share = work / fastest / 1e6 / peak;
      report({ name: `${label}: share of MatMul peak`, value: share, unit: "share", aim: "≥ 0.8" });
    }
    if (image) say(`the standard deviation of the image's values is ${spread(image).toFixed(1)} of 255`);
    return tokens;
  } finally {
    monitor.stop();
    await pair.close();
  }
}

/** Number of text tokens, and floating point operations of a forward pass. */
async function workOf(pair: OpenedPair, { denoiser }: SyntheticFamily, size: number) {
  const tokens = pair.text.lengthOf(PROMPT, "plain");
  const graph = denoiser.draw(shapeFor(denoiser, size, tokens), await pair.base.weights());
  return { tokens, work: floatingPointOperations(graph, 1) };
}

function shapeFor(denoiser: Denoiser, size: number, tokens: number): DenoiserShape {
  const [, , height, width] = denoiser.latents({ width: size, height: size });
  return { height, width, tokens };
}

/** Random latents and text for a forward pass of one sample. */
function callFor(denoiser: Denoiser, size: number, tokens: number, pooled: number | undefined): DenoiserCall {
  const picture = { width: size, height: size };
  return {
    latents: [createRng(1).randn(denoiser.latents(picture))],
    timestep: 500,
    conditioning: [
      {
        streams: { text: createRng(2).randn([1, tokens, denoiser.textFeatures]) },
        ...(pooled !== undefined && { pooled: createRng(3).randn([1, pooled]) }),
      },
    ],
    guidance: 3.5,
    size: picture,
  };
}

/** Times a few of the transformer's blocks, and the same with PyTorch where a Python with diffusers is there. */
async function measureBlocks(
  report: Report,
  { title, few, pooled }: FamilyModel,
  { few: { folder, denoiser } }: SyntheticFamily,
  { size, threads, compute, peak }: FamilyOptions,
  tokens: number,
): Promise<void> {
  const blocks = Object.entries(few).map(([key, n]) => `${key} ${Array.isArray(n) ? n.length : n}`);
  const label = `${title} at ${size} px with ${blocks.join(", ")}`;
  const runtime = openRuntime({ threads });
  let ours = 0;
  try {
    const weights = await openWeights(path.join(folder, "diffusion_pytorch_model.safetensors"));
    const graph = denoiser.draw(shapeFor(denoiser, size, tokens), weights);
    const ready = await prepareWeights("blocks", graph, graph, { compute, derive: deriveInFile });
    const session = await runtime.load(await encodedFor(runtime.device, ready, compute), "per-call");
    const feeds = denoiser.inputs(callFor(denoiser, size, tokens, pooled));
    const times = [];
    for (let i = 0; i <= RUNS; i++) times.push((await session.run(feeds)).milliseconds);
    const { median, note } = middle(times.slice(1));
    const work = floatingPointOperations(graph, 1);
    ours = median;
    report({
      name: `${label}, ${compute}: forward pass`,
      value: median,
      unit: "ms",
      note: `${note}; ${(work / 1e12).toFixed(2)} TFLOP`,
    });
    const share = work / median / 1e6 / peak;
    report({ name: `${label}, ${compute}: share of MatMul peak`, value: share, unit: "share", aim: "≥ 0.8" });
    await session.release();
  } finally {
    await runtime.close();
  }
  const python = findPython();
  if ("missing" in python) {
    say(`PyTorch is not compared: ${python.missing}`);
    return;
  }
  for (const type of ["float32", "bfloat16"]) {
    say(`PyTorch, ${type}`);
    const script = fileURLToPath(new URL("peer_transformer.py", import.meta.url));
    const given = [folder, type, size, tokens, pooled ?? 0, threads, RUNS].map(String);
    const { status, stdout, stderr } = spawnSync(python.python, [script, ...given], { encoding: "utf8" });
    if (status !== 0) {
      say(`PyTorch ${type} is left out: ${stderr.trim().split("\n").at(-1)}`);
      continue;
    }
    const { median, note } = middle(JSON.parse(stdout.trim().split("\n").at(-1) ?? "[]"));
    report({ name: `${label}: PyTorch ${type}`, value: median, unit: "ms", note });
    const aim = compute === "int8" ? "≥ 1" : "≥ 0.8";
    report({
      name: `${label}: PyTorch ${type} / variegate ${compute} time`,
      value: median / ours,
      unit: "ratio",
      ...(type === "bfloat16" && { aim }),
    });
  }
}
