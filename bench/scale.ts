/** What images cost as they become more, larger or controlled by more adapters: curves over steps, batch, number of images, size and adapters. */
import { readFileSync, writeFileSync } from "node:fs";
import { deriveInFile } from "../src/checkpoint/node/index.js";
import { createDecoder, decodeLatents } from "../src/decode/index.js";
import { MachineError } from "../src/errors.js";
import { type GenerateRequest, generate } from "../src/generate/index.js";
import { type Compute, encodedFor, prepareWeights } from "../src/networks/index.js";
import { machineBudget, type OpenedPair, openPair } from "../src/open/index.js";
import type { Device } from "../src/runtime/index.js";
import { openRuntime } from "../src/runtime/node/index.js";
import { createRng } from "../src/tensor/index.js";
import { middle, type Report } from "./figures.js";
import { feedsFor, timeSliders } from "./networks.js";
import { makeSyntheticParts, openSyntheticParts } from "./synthetic.js";

const PROMPTS = [
  "a cartoon character",
  "a smiling cartoon character",
  "a cartoon character with a hat",
  "a cat character",
];
const MODES = ["distilled", "hybrid"] as const;
const STEPS = [1, 2, 4, 8, 16];
const BATCHES = [1, 4, 16];
const IMAGES = [1, 10, 100, 1000, 10000];
const ROUNDS = 5;
const SIZES = [256, 512, 768, 1024, 1536];
const ADAPTERS = [1, 2, 4, 8];
const TYPES = [
  ["cpu", "float32"],
  ["openvino", "bfloat16"],
] as const satisfies readonly (readonly [Device, Compute])[];

/** Curves of the embedded pair: steps, batch, and number of images. */
export async function scaleEmbedded(report: Report, threads: number): Promise<void> {
  const pair = await openPair({ pair: "embedded-lora" }, { threads });
  try {
    const seeds = Array.from({ length: 16 }, (_, i) => i);
    for (const steps of STEPS) {
      const ms = await fastestOf(() => timeOf(pair, { mode: "distilled", steps, prompts: [PROMPTS[0] ?? ""], seeds }));
      report({ name: `embedded-lora, distilled, ${steps} steps: an image of sixteen`, value: ms / 16, unit: "ms" });
    }
    for (const mode of MODES) {
      for (const batch of BATCHES) {
        const request = { mode, batch, prompts: PROMPTS, seeds: seeds.slice(0, 4) };
        reportSpeed(report, `${mode}, batch ${batch}`, 16 / (await fastestOf(() => timeOf(pair, request))));
      }
    }
    await memoryOverImages(report, pair);
  } finally {
    await pair.close();
  }
  for (const joinCalls of BATCHES) await mixedBatch(report, threads, joinCalls);
}

const reportSpeed = (report: Report, name: string, perMillisecond: number) =>
  report({ name: `embedded-lora, ${name}: images`, value: perMillisecond * 1000, unit: "per s" });

/** Sixteen runs of one image that go on at the same time: hybrid and distilled, four prompts, so that calls have rows of both models. */
async function mixedBatch(report: Report, threads: number, joinCalls: number): Promise<void> {
  const pair = await openPair({ pair: "embedded-lora" }, { threads, joinCalls });
  const runs = Array.from({ length: 16 }, (_, i) => ({
    mode: MODES[i % 2] ?? "hybrid",
    prompts: [PROMPTS[Math.floor(i / 4)] ?? ""],
    seeds: [i],
  }));
  try {
    const ms = await fastestOf(async () => {
      const start = performance.now();
      await Promise.all(runs.map((request) => timeOf(pair, request)));
      return performance.now() - start;
    });
    reportSpeed(report, `16 runs of both modes at once, calls of up to ${joinCalls}`, 16 / ms);
  } finally {
    await pair.close();
  }
}

/** Milliseconds of a request. */
async function timeOf(pair: OpenedPair, request: GenerateRequest): Promise<number> {
  const start = performance.now();
  for await (const _ of generate(pair, request));
  return performance.now() - start;
}

/** The shortest of several times, after a first one that loads. */
async function fastestOf(time: () => Promise<number>): Promise<number> {
  const times = [];
  for (let i = 0; i <= ROUNDS; i++) times.push(await time());
  return Math.min(...times.slice(1));
}

/** Peak resident memory of a run with more and more images, which are not kept. */
async function memoryOverImages(report: Report, pair: OpenedPair): Promise<void> {
  for (const images of IMAGES) {
    resetPeak();
    const seeds = Array.from({ length: images }, (_, i) => i);
    await timeOf(pair, { mode: "hybrid", prompts: [PROMPTS[0] ?? ""], seeds });
    report({ name: `embedded-lora, ${images} images: peak resident memory`, value: peak() / 1e6, unit: "MB" });
  }
}

/** Makes Linux count the peak anew. Elsewhere the peak is that of the process. */
function resetPeak(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {}
}

function peak(): number {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  } catch {
    return 1024 * process.resourceUsage().maxRSS;
  }
}

/** Runs with SDXL's UNet and decoder with random weights, which are removed afterwards. */
async function withParts(work: (folder: string) => Promise<void>): Promise<void> {
  process.stderr.write("writing 5.3 GB of random SDXL weights …\n");
  const { folder, remove } = await makeSyntheticParts();
  try {
    await work(folder);
  } finally {
    await remove();
  }
}

/** Curve of SDXL over the size of the picture. */
export const scaleSdxl = (report: Report, threads: number): Promise<void> =>
  withParts(async (folder) => {
    for (const [device, compute] of TYPES) {
      const name = `SDXL, ${compute}${device === "cpu" ? "" : ` on ${device}`}`;
      try {
        await scaleSize(report, name, { folder, threads, device, compute });
      } catch (error) {
        if (!(error instanceof MachineError)) throw error;
        process.stderr.write(`${name} is left out: ${error.message}\n`);
      }
    }
  });

interface Engine {
  readonly folder: string;
  readonly threads: number;
  readonly device: Device;
  readonly compute: Compute;
}

/** A step and a decode at every size. The decoder works in tiles where one piece would need too much memory. */
async function scaleSize(report: Report, name: string, { folder, threads, device, compute }: Engine): Promise<void> {
  for (const size of SIZES) {
    const runtime = openRuntime({ device, threads });
    try {
      const { unet, autoencoder } = await openSyntheticParts(folder, size);
      const ready = await prepareWeights("SDXL", unet, unet, { compute, derive: deriveInFile });
      const session = await runtime.load(await encodedFor(device, ready, compute));
      const feeds = feedsFor(unet, 1);
      const times = [];
      for (let i = 0; i < 3; i++) times.push((await session.run(feeds)).milliseconds);
      await session.release();
      const { median, note } = middle(times.slice(1));
      report({ name: `${name}, ${size} px: step`, value: median / 1000, unit: "s", note });
      const decoder = createDecoder(runtime, autoencoder, { precision: { compute } });
      const latents = createRng(3).randn([1, 4, size / 8, size / 8]);
      const engine = { runtime, compute, memoryBudget: machineBudget(), upcast: "at-load" as const };
      const decodes = [];
      for (let i = 0; i < 2; i++) {
        const start = performance.now();
        await decodeLatents(decoder, latents, engine);
        decodes.push(performance.now() - start);
      }
      report({ name: `${name}, ${size} px: decode`, value: (decodes[1] ?? 0) / 1000, unit: "s" });
    } finally {
      await runtime.close();
    }
  }
}

/** Curve of a step of SDXL at 512 px over the number of adapters. */
export const scaleAdapters = (report: Report, threads: number): Promise<void> =>
  withParts(async (folder) => {
    const { drawing } = await openSyntheticParts(folder, 512);
    const o = { ...drawing, shape: { height: 64, width: 64, tokens: 77 }, batch: 1, runs: 2, threads };
    const { median: plain } = await timeSliders(o, 0);
    for (const adapters of ADAPTERS) {
      const { median, note } = await timeSliders(o, adapters);
      report({ name: `SDXL step with ${adapters} sliders / without`, value: median / plain, unit: "ratio", note });
    }
  });
