/** A whole SDXL run at 1024 px as on a machine of 16 GB: the peak of resident memory and the time of every phase. */
import { readFileSync, writeFileSync } from "node:fs";
import { decodeLatents } from "../src/decode/index.js";
import { generate } from "../src/generate/index.js";
import { openPair } from "../src/open/index.js";
import type { FloatTensor, RgbImage } from "../src/tensor/index.js";
import type { Report } from "./figures.js";
import { makeSyntheticPair, type SyntheticPair } from "./synthetic.js";

/** What a run may take of 16 GB. */
const BUDGET = 0.8 * 16e9;
const AIM = "< 16";
const EVERY = 50;

/** A phase ends when its network is let go; what it is called here. */
const PHASES: Readonly<Record<string, string>> = {
  base: "base UNet, load and one row",
  distilled: "distilled UNet, load and one row",
  decoder: "decoding in tiles",
};

interface Peak {
  /** Resident memory with mapped files, bytes. */
  readonly resident: number;
  /** Without them, where the system tells. */
  readonly own: number | null;
  readonly seconds: number;
}

/** Watches memory from the call of `phase` to the next. */
interface Meter {
  phase(): void;
  peak(): Peak;
  stop(): void;
}

const STATUS = "/proc/self/status";

/** Bytes of a line of the process's status; null where there is none. */
function status(key: string): number | null {
  try {
    const found = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(readFileSync(STATUS, "utf8"));
    return found ? Number(found[1]) * 1024 : null;
  } catch {
    return null;
  }
}

/** Linux forgets the highest resident memory when told to: then it counts anew, without gaps. */
function forgetPeak(): boolean {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
    return true;
  } catch {
    return false;
  }
}

function openMeter(): Meter {
  let [resident, own, since, exact] = [0, 0, 0, false];
  const look = () => {
    resident = Math.max(resident, process.memoryUsage.rss());
    own = Math.max(own, status("RssAnon") ?? 0);
  };
  const timer = setInterval(look, EVERY);
  return {
    phase() {
      exact = forgetPeak();
      [resident, own, since] = [0, 0, performance.now()];
      look();
    },
    peak() {
      look();
      const highest = exact ? (status("VmHWM") ?? 0) : 0;
      return {
        resident: Math.max(resident, highest),
        own: own || null,
        seconds: (performance.now() - since) / 1000,
      };
    },
    stop: () => clearInterval(timer),
  };
}

/** The largest and the mean difference of two pictures, of 255. */
function difference(a: RgbImage, b: RgbImage): { largest: number; mean: number } {
  let [largest, sum] = [0, 0];
  for (const [i, v] of a.data.entries()) {
    const d = Math.abs(v - (b.data[i] ?? Number.NaN));
    largest = Math.max(largest, d);
    sum += d;
  }
  return { largest, mean: sum / a.data.length };
}

/** Standard deviation of a picture's numbers: a picture of one colour would be no test. */
function spread({ data }: RgbImage): number {
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

/** One row of each model in 1024 × 1024 pixels, and the picture decoded in tiles and in one piece. */
export async function measurePhases(
  report: Report,
  threads: number,
  made: Pick<SyntheticPair, "base" | "distilled">,
): Promise<void> {
  const meter = openMeter();
  const tell = (phase: string) => {
    const { resident, own, seconds } = meter.peak();
    const name = `SDXL at 1024 px, ${phase}`;
    report({ name: `${name}: peak resident memory`, value: resident / 1e9, unit: "GB", aim: AIM });
    if (own !== null) report({ name: `${name}: of it not mapped files`, value: own / 1e9, unit: "GB" });
    report({ name: `${name}: time`, value: seconds, unit: "s" });
    meter.phase();
  };
  try {
    const pair = await openPair({ base: made.base, distilled: made.distilled }, { threads, memoryBudget: BUDGET });
    try {
      const request = { mode: "hybrid", steps: 2, prompts: ["a lighthouse in a storm"], seeds: [0] } as const;
      let painted: { image: RgbImage; latents: FloatTensor } | undefined;
      meter.phase();
      for await (const event of generate(pair, request)) {
        if (event.type === "adjusted") for (const why of event.why) process.stderr.write(`${why}\n`);
        if (event.type === "image") painted = event;
        if (event.type === "released") tell(PHASES[event.network] ?? event.network);
      }
      if (!painted) return;
      meter.phase();
      const [whole] = await decodeLatents(pair.decoder, painted.latents, { ...pair.engine, tile: "off" });
      tell("decoding in one piece, to compare");
      if (!whole) return;
      const { largest, mean } = difference(painted.image, whole);
      const note = `mean ${mean.toFixed(5)}, the picture's own deviation ${spread(whole).toFixed(1)}`;
      report({ name: "tiles against one piece: largest difference", value: largest, unit: "of 255", aim: "≤ 3", note });
    } finally {
      await pair.close();
    }
  } finally {
    meter.stop();
  }
}
