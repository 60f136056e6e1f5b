/** Compares int8 with float32: images of the embedded pair, and time and memory of an SDXL-sized UNet. */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { generate, memoryNeeds, type Pair } from "../src/generate/index.js";
import { type DenoiserShape, type DrawingWeights, drawUNet } from "../src/models/index.js";
import { type Compute, prepareWeights } from "../src/networks/index.js";
import { openPair } from "../src/open/index.js";
import { differenceOf, middle, type Report } from "./figures.js";
import { timeStep } from "./networks.js";
import { makeSyntheticUNet } from "./synthetic.js";

const MODES = ["base", "distilled", "hybrid"] as const;
const PROMPTS = ["a red cartoon character wearing a crown", "a smiling cartoon character"];
const SEEDS = Array.from({ length: 16 }, (_, i) => i);

/** Runs `work` with a temporary cache folder. */
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

interface Generated {
  /** Pixels of each image. */
  readonly images: readonly Uint8Array[];
  /** Milliseconds per UNet call. */
  readonly call: number;
}

async function run(pair: Pair, mode: (typeof MODES)[number], seeds: readonly number[]): Promise<Generated> {
  const images: Uint8Array[] = [];
  let call = 0;
  for await (const e of generate(pair, { mode, prompts: PROMPTS, seeds, batch: 8 })) {
    if (e.type === "image") images.push(e.image.data);
    if (e.type === "done") call = e.milliseconds.denoise / e.calls;
  }
  return { images, call };
}

/** Compares the embedded pair in int8 and float32: images, time per call, memory of the weights. */
export const compareInt8 = (threads: number, report: Report): Promise<void> =>
  withCache(async () => {
    const open = (compute: Compute) => openPair({ compute }, { threads });
    const [float32, int8] = [await open("float32"), await open("int8")];
    const note = `${PROMPTS.length * SEEDS.length} images`;
    for (const mode of MODES) {
      const off = differenceOf((await run(int8, mode, SEEDS)).images, (await run(float32, mode, SEEDS)).images);
      const name = `embedded ${mode}, int8 beside float32`;
      report({ name: `${name}: mean`, value: off.mean, unit: "of 255", note });
      report({ name: `${name}: largest`, value: off.largest, unit: "of 255", note });
      report({ name: `${name}: PSNR`, value: off.ratio, unit: "dB", note: `mean of ${note}` });
    }
    // Alternating, so that other load on the machine affects both.
    const ratios: number[] = [];
    for (let i = 0; i < 9; i++) {
      const plain = await run(float32, "distilled", SEEDS.slice(0, 8));
      const quantised = await run(int8, "distilled", SEEDS.slice(0, 8));
      ratios.push(quantised.call / plain.call);
    }
    const { median } = middle(ratios);
    report({ name: "embedded int8 / float32 call", value: median, unit: "ratio", note: "median of pairs, batch 8" });
    for (const [compute, pair] of [
      ["float32", float32],
      ["int8", int8],
    ] as const) {
      const need = (await memoryNeeds(pair, pair.engine.compute)).find((n) => n.offload === "none")?.bytes ?? 0;
      report({ name: `embedded pair's weights, ${compute}`, value: need / 1e6, unit: "MB" });
    }
    await Promise.all([float32.close(), int8.close()]);
  });

/** Compares a step of an SDXL-sized UNet with random weights in int8 and float32: time and resident memory. */
export const timeInt8 = (threads: number, peak: number, report: Report): Promise<void> =>
  withCache(async () => {
    process.stderr.write("writing 10.3 GB of random SDXL weights …\n");
    const made = await makeSyntheticUNet("sdxl");
    try {
      const shape = { height: 64, width: 64, tokens: 77 };
      const draw = (i: DrawingWeights, s: DenoiserShape) => drawUNet(made.config, i, s);
      const o = { draw, index: made.index, shape, batch: 1, runs: 4, threads };
      const float32 = await timeStep({ ...o, label: "SDXL UNet at 512 px" }, peak, report);
      let printed = performance.now();
      const onPrepare = ({ done, total }: { done: number; total: number }) => {
        if (performance.now() - printed < 5000) return;
        printed = performance.now();
        process.stderr.write(`quantising: ${Math.floor((100 * done) / total)}%\n`);
      };
      const start = performance.now();
      let quantising = 0;
      const int8 = await timeStep(
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
      report({ name: "SDXL step, int8 / float32", value: int8 / float32, unit: "ratio" });
    } finally {
      await made.remove();
    }
  });
