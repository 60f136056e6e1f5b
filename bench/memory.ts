/** Measures peak resident memory and time of each phase of an SDXL run at 1024 px, with the memory budget of a 16 GB machine. */
import { decodeLatents } from "../src/decode/index.js";
import { generate } from "../src/generate/index.js";
import { openPair } from "../src/open/index.js";
import type { FloatTensor, RgbImage } from "../src/tensor/index.js";
import { differenceOf, type Report } from "./figures.js";
import { openMonitor } from "./memory-monitor.js";
import { makeSyntheticPair, type SyntheticPair } from "./synthetic.js";

/** Default memory budget of a 16 GB machine. */
const BUDGET = 0.8 * 16e9;
const AIM = "< 16";
/** Names of the phases. A phase ends when its network is released. */
const PHASES: Readonly<Record<string, string>> = {
  base: "base UNet, load and one row",
  distilled: "distilled UNet, load and one row",
  decoder: "decoding in tiles",
};

/** Standard deviation of an image's values, which shows that the image is not uniform. */
export function spread({ data }: RgbImage): number {
  const mean = data.reduce((n, v) => n + v, 0) / data.length;
  return Math.sqrt(data.reduce((n, v) => n + (v - mean) ** 2, 0) / data.length);
}

/** Writes random weights and measures a run with them. */
export async function runMemory(report: Report, threads: number): Promise<void> {
  process.stderr.write("writing 12.1 GB of random SDXL weights …\n");
  const made = await makeSyntheticPair();
  try {
    await measurePhases(report, threads, made);
  } finally {
    await made.remove();
  }
}

/** Measures one row of each model at 1024 × 1024 pixels, and decoding in tiles and in one piece. */
export async function measurePhases(
  report: Report,
  threads: number,
  made: Pick<SyntheticPair, "base" | "distilled">,
): Promise<void> {
  const monitor = openMonitor();
  const reportPhase = (phase: string) => {
    const { resident, own, seconds } = monitor.peak();
    const name = `SDXL at 1024 px, ${phase}`;
    report({ name: `${name}: peak resident memory`, value: resident / 1e9, unit: "GB", aim: AIM });
    if (own !== null) report({ name: `${name}: of it not mapped files`, value: own / 1e9, unit: "GB" });
    report({ name: `${name}: time`, value: seconds, unit: "s" });
    monitor.phase();
  };
  try {
    const pair = await openPair({ base: made.base, distilled: made.distilled }, { threads, memoryBudget: BUDGET });
    try {
      const request = { mode: "hybrid", steps: 2, prompts: ["a lighthouse in a storm"], seeds: [0] } as const;
      let generated: { image: RgbImage; latents: FloatTensor } | undefined;
      monitor.phase();
      for await (const event of generate(pair, request)) {
        if (event.type === "adjusted") for (const why of event.why) process.stderr.write(`${why}\n`);
        if (event.type === "image") generated = event;
        if (event.type === "released") reportPhase(PHASES[event.network] ?? event.network);
      }
      if (!generated) return;
      monitor.phase();
      const [whole] = await decodeLatents(pair.decoder, generated.latents, { ...pair.engine, tile: "off" });
      reportPhase("decoding in one piece, to compare");
      if (!whole) return;
      const { largest, mean } = differenceOf([generated.image.data], [whole.data]);
      const note = `mean ${mean.toFixed(5)}, standard deviation of the image ${spread(whole).toFixed(1)}`;
      report({ name: "tiles against one piece: largest difference", value: largest, unit: "of 255", aim: "≤ 3", note });
    } finally {
      await pair.close();
    }
  } finally {
    monitor.stop();
  }
}
