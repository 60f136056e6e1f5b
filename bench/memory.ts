/** Measures peak resident memory and time of each phase of an SDXL run at 1024 px, with the memory budget of a 16 GB machine. */
import { readFileSync, writeFileSync } from "node:fs";
import { decodeLatents } from "../src/decode/index.js";
import { generate } from "../src/generate/index.js";
import { openPair } from "../src/open/index.js";
import type { FloatTensor, RgbImage } from "../src/tensor/index.js";
import { differenceOf, type Report } from "./figures.js";
import { makeSyntheticPair, type SyntheticPair } from "./synthetic.js";

/** Default memory budget of a 16 GB machine. */
const BUDGET = 0.8 * 16e9;
const AIM = "< 16";
/** Milliseconds between samples. */
const INTERVAL = 50;

/** Names of the phases. A phase ends when its network is released. */
const PHASES: Readonly<Record<string, string>> = {
  base: "base UNet, load and one row",
  distilled: "distilled UNet, load and one row",
  decoder: "decoding in tiles",
};

interface Peak {
  /** Resident memory including mapped files, in bytes. */
  readonly resident: number;
  /** Resident memory without mapped files, if the system reports it. */
  readonly own: number | null;
  readonly seconds: number;
}

/** Monitors the memory of one phase at a time. */
interface MemoryMonitor {
  /** Starts a phase. */
  phase(): void;
  peak(): Peak;
  stop(): void;
}

const STATUS = "/proc/self/status";

/** Value in bytes of a line of /proc/self/status; null if there is none. */
function status(key: string): number | null {
  try {
    const found = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(readFileSync(STATUS, "utf8"));
    return found ? Number(found[1]) * 1024 : null;
  } catch {
    return null;
  }
}

/** Resets the peak resident memory that Linux records without sampling gaps. False on other systems. */
function resetPeak(): boolean {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
    return true;
  } catch {
    return false;
  }
}

function openMonitor(): MemoryMonitor {
  let [resident, own, since, exact] = [0, 0, 0, false];
  const sample = () => {
    resident = Math.max(resident, process.memoryUsage.rss());
    own = Math.max(own, status("RssAnon") ?? 0);
  };
  const timer = setInterval(sample, INTERVAL);
  return {
    phase() {
      exact = resetPeak();
      [resident, own, since] = [0, 0, performance.now()];
      sample();
    },
    peak() {
      sample();
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

/** Standard deviation of an image's values, which shows that the image is not uniform. */
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
