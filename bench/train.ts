/**
 * Times updates of a LoRA and of a slider beside PyTorch with PEFT on the same threads: on the embedded UNet, and on UNets of the sizes of Stable
 * Diffusion 1.5 and SDXL with random weights. Each side runs in a process of its own, in turn.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { findPython } from "./diffusers.js";
import { middle, type Report } from "./figures.js";
import { makeSyntheticUNet } from "./synthetic.js";

/** What one process times. */
export interface TrainCase {
  /** UNet folder. */
  readonly folder: string;
  readonly kind: keyof typeof LORAS;
  readonly batch: number;
  /** Latent height and width. */
  readonly side: number;
  readonly tokens: number;
  /** Updates that are timed, after WARM that are not. */
  readonly runs: number;
  readonly threads: number;
  /** Recomputation here, gradient checkpointing in diffusers. */
  readonly recompute: boolean;
}

export interface TrainTimes {
  /** One entry for each update. */
  readonly milliseconds: readonly number[];
  /** Peak resident memory in bytes; a file that two networks map is counted once. */
  readonly peak: number;
}

/** LoRAs that `train lora` and `train slider` make by default. */
export const LORAS = {
  lora: { rank: 4, alpha: 4, layers: "full", type: "lierla" },
  slider: { rank: 4, alpha: 1, layers: "noxattn", type: "c3lier" },
} as const;
/** Updates that load the graphs and fill caches. */
export const WARM = 1;

type Size = Omit<TrainCase, "folder" | "kind" | "threads">;
const EMBEDDED = fileURLToPath(new URL("../embedded/base/unet/", import.meta.url));
const SIZES = {
  embedded: { title: "embedded UNet", batch: 4, side: 16, tokens: 32, runs: 10, recompute: false, rounds: 2 },
  sd15: { title: "SD 1.5's UNet at 256 px", batch: 1, side: 32, tokens: 77, runs: 3, recompute: false, rounds: 2 },
  sdxl: { title: "SDXL's UNet at 512 px", batch: 1, side: 64, tokens: 77, runs: 1, recompute: true, rounds: 1 },
} as const satisfies Record<string, Size & { readonly title: string; readonly rounds: number }>;

const own = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const NAMES = { ours: "variegate", theirs: "PyTorch + PEFT" } as const;

/** An update of each kind: a LoRA's, and a slider's with its three predictions for each sample, without the runs that its states come from. */
export async function timeTraining(name: keyof typeof SIZES, threads: number, report: Report): Promise<void> {
  if (name === "embedded") return timeIn(EMBEDDED, name, threads, report);
  process.stderr.write(`writing random weights of ${SIZES[name].title} …\n`);
  const made = await makeSyntheticUNet(name, name === "sdxl" ? "float16" : "float32");
  try {
    await timeIn(made.folder, name, threads, report);
  } finally {
    await made.remove();
  }
}

async function timeIn(folder: string, name: keyof typeof SIZES, threads: number, report: Report): Promise<void> {
  const { title, rounds, ...size } = SIZES[name];
  const python = findPython();
  if ("missing" in python) process.stderr.write(`PEFT is not compared: ${python.missing}\n`);
  for (const kind of ["lora", "slider"] as const) {
    const given = JSON.stringify({ ...size, folder, kind, threads } satisfies TrainCase);
    const sides = {
      ours: [process.execPath, own("../node_modules/tsx/dist/cli.mjs"), own("peer-train.ts"), given],
      ...("python" in python && { theirs: [python.python, own("peer_train.py"), given] }),
    };
    const found = new Map<string, TrainTimes>();
    for (let round = 0; round < rounds; round++) {
      for (const [side, command] of Object.entries(sides)) found.set(side, joined(found.get(side), timesOf(command)));
    }
    const label = `${kind} update, ${title}, batch ${size.batch}${size.recompute ? ", recomputed" : ""}`;
    const [ours, theirs] = [found.get("ours"), found.get("theirs")];
    for (const [side, times] of Object.entries({ ours, theirs })) {
      if (!times) continue;
      const { median, note } = middle(times.milliseconds);
      report({ name: `${label}: ${NAMES[side as keyof typeof NAMES]}`, value: median, unit: "ms", note });
      report({ name: `${label}: ${NAMES[side as keyof typeof NAMES]}, peak`, value: times.peak / 1e6, unit: "MB" });
    }
    if (!ours || !theirs) continue;
    const time = middle(theirs.milliseconds).median / middle(ours.milliseconds).median;
    report({ name: `${label}: PEFT / variegate time`, value: time, unit: "ratio", aim: "≥ 1" });
    const memory = ours.peak / theirs.peak;
    report({ name: `${label}: variegate / PEFT peak memory`, value: memory, unit: "ratio", aim: "≤ 1" });
  }
}

const joined = (before: TrainTimes | undefined, now: TrainTimes): TrainTimes => ({
  milliseconds: [...(before?.milliseconds ?? []), ...now.milliseconds],
  peak: Math.max(before?.peak ?? 0, now.peak),
});

function timesOf([command = "", ...args]: readonly string[]): TrainTimes {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`an update could not be timed: ${stderr.slice(-300)}`);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}
