/** What int8 costs and saves: pictures of the embedded pair beside those of float32, and an SDXL-sized UNet's time and memory. */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { generate, memoryNeeds, type Pair } from "../src/generate/index.js";
import { type DenoiserShape, type DrawingWeights, drawUNet } from "../src/models/index.js";
import { type Compute, prepareWeights } from "../src/networks/index.js";
import { openPair } from "../src/open/index.js";
import { middle, type Report } from "./figures.js";
import { timeStep } from "./networks.js";
import { makeSyntheticSdxl } from "./synthetic.js";

const MODES = ["base", "distilled", "hybrid"] as const;
const PROMPTS = ["a red cartoon character wearing a crown", "a smiling cartoon character"];
const SEEDS = Array.from({ length: 16 }, (_, i) => i);

/** Runs `work` with a cache folder of its own, which goes again. */
async function withCache<T>(work: () => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "variegate-int8-"));
  const before = process.env["XDG_CACHE_HOME"];
  process.env["XDG_CACHE_HOME"] = folder;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = before;
    await rm(folder, { recursive: true, force: true });
  }
}

interface Painted {
  readonly pictures: readonly Uint8Array[];
  /** Milliseconds of one call of a UNet. */
  readonly call: number;
}

async function paint(pair: Pair, mode: (typeof MODES)[number], seeds: readonly number[]): Promise<Painted> {
  const pictures: Uint8Array[] = [];
  let call = 0;
  for await (const e of generate(pair, { mode, prompts: PROMPTS, seeds, batch: 8 })) {
    if (e.type === "image") pictures.push(e.image.data);
    if (e.type === "done") call = e.milliseconds.denoise / e.calls;
  }
  return { pictures, call };
}

/** Mean and largest difference of two rows of pictures, of 255, and the mean of their peak signal-to-noise ratios. */
function difference(a: readonly Uint8Array[], b: readonly Uint8Array[]) {
  let [sum, count, largest, ratios] = [0, 0, 0, 0];
  for (const [i, picture] of a.entries()) {
    const other = b[i] ?? picture;
    let squares = 0;
    for (const [j, v] of picture.entries()) {
      const off = Math.abs(v - (other[j] ?? 0));
      sum += off;
      squares += off * off;
      largest = Math.max(largest, off);
    }
    count += picture.length;
    ratios += 10 * Math.log10((255 * 255 * picture.length) / Math.max(squares, 1));
  }
  return { mean: sum / count, largest, ratio: ratios / a.length };
}

/** The embedded pair in int8 beside itself in float32: pictures, time of a call, memory of the weights. */
export const compareInt8 = (threads: number, report: Report): Promise<void> =>
  withCache(async () => {
    const open = (compute: Compute) => openPair({ compute }, { threads });
    const [exact, whole] = [await open("float32"), await open("int8")];
    const note = `${PROMPTS.length * SEEDS.length} pictures`;
    for (const mode of MODES) {
      const off = difference((await paint(whole, mode, SEEDS)).pictures, (await paint(exact, mode, SEEDS)).pictures);
      const name = `embedded ${mode}, int8 beside float32`;
      report({ name: `${name}: mean`, value: off.mean, unit: "of 255", note });
      report({ name: `${name}: largest`, value: off.largest, unit: "of 255", note });
      report({ name: `${name}: PSNR`, value: off.ratio, unit: "dB", note: `mean of ${note}` });
    }
    // In turns, so that what else the machine does falls on both.
    const ratios: number[] = [];
    for (let i = 0; i < 9; i++) {
      const one = await paint(exact, "distilled", SEEDS.slice(0, 8));
      const other = await paint(whole, "distilled", SEEDS.slice(0, 8));
      ratios.push(other.call / one.call);
    }
    const { median } = middle(ratios);
    report({ name: "embedded int8 / float32 call", value: median, unit: "ratio", note: "median of pairs, batch 8" });
    for (const [compute, pair] of [
      ["float32", exact],
      ["int8", whole],
    ] as const) {
      const need = (await memoryNeeds(pair, pair.engine.compute)).find((n) => n.offload === "none")?.bytes ?? 0;
      report({ name: `embedded pair's weights, ${compute}`, value: need / 1e6, unit: "MB" });
    }
    await Promise.all([exact.close(), whole.close()]);
  });

/** A step of an SDXL-sized UNet with random weights in int8 beside float32: time, and memory that is resident. */
export const timeInt8 = (threads: number, peak: number, report: Report): Promise<void> =>
  withCache(async () => {
    process.stderr.write("writing 10.3 GB of random SDXL weights …\n");
    const made = await makeSyntheticSdxl();
    try {
      const shape = { height: 64, width: 64, tokens: 77 };
      const draw = (i: DrawingWeights, s: DenoiserShape) => drawUNet(made.config, i, s);
      const o = { draw, index: made.index, shape, batch: 1, runs: 4, threads };
      const exact = await timeStep({ ...o, label: "SDXL UNet at 512 px" }, peak, report);
      let told = performance.now();
      const onPrepare = ({ done, total }: { done: number; total: number }) => {
        if (performance.now() - told < 5000) return;
        told = performance.now();
        process.stderr.write(`quantising: ${Math.floor((100 * done) / total)}%\n`);
      };
      const start = performance.now();
      let quantising = 0;
      const whole = await timeStep(
        {
          ...o,
          label: "the same in int8",
          prepare: async (graph) => {
            const ready = await prepareWeights("SDXL", graph, graph, { compute: "int8", onPrepare });
            quantising = performance.now() - start;
            return ready;
          },
        },
        peak,
        report,
      );
      report({ name: "the same in int8: quantising, once", value: quantising / 1000, unit: "s" });
      report({ name: "SDXL step, int8 / float32", value: whole / exact, unit: "ratio" });
    } finally {
      await made.remove();
    }
  });
