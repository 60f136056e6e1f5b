/** `npm run bench`: benchmarks of speed and memory, with the figures that they are compared with, in one run. */
import { spawnSync } from "node:child_process";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { VariegateError } from "../src/errors.js";
import { generate } from "../src/generate/index.js";
import { type DenoiserShape, type DrawingWeights, drawUNet } from "../src/models/index.js";
import { type OpenedPair, openPair } from "../src/open/index.js";
import { openRuntime } from "../src/runtime/node/index.js";
import { openPreview, type Recording, record, trace } from "../src/trajectory/index.js";
import { diffusersStep, findPython } from "./diffusers.js";
import { runFamily } from "./family.js";
import { comparedWith, type Figure, lineOf, middle, PEAK, type Report, readFigures } from "./figures.js";
import { runFirst } from "./first.js";
import { timeInstruments } from "./instruments.js";
import { compareInt8, timeInt8 } from "./int8.js";
import { runMemory } from "./memory.js";
import { matmulPeak, timeSliders, timeStep } from "./networks.js";
import { runPeers } from "./peers.js";
import { scaleAdapters, scaleEmbedded, scaleSdxl } from "./scale.js";
import { runStudioBench } from "./studio.js";
import { makeSyntheticUNet } from "./synthetic.js";
import { timeTraining } from "./train.js";
import { FAMILY_NAMES, type FamilyName } from "./transformers.js";
import { runWebBench } from "./web.js";

const threads = os.availableParallelism();
const embedded = fileURLToPath(new URL("../embedded/base/unet/", import.meta.url));

interface Bench {
  readonly name: string;
  /** Runs only when named by --only. */
  readonly onRequest?: true;
  run(report: Report): Promise<void>;
}

let peak = 0;
/** MatMul peak, measured once. */
async function peakOf(report: Report): Promise<number> {
  if (peak > 0) return peak;
  const runtime = openRuntime({ threads });
  peak = await matmulPeak(runtime);
  await runtime.close();
  report({ name: PEAK, value: peak, unit: "GFLOP/s", note: `${threads} threads` });
  return peak;
}

/** Milliseconds per image in a mode: denoising and decoding, without loading. */
async function imageTime(pair: OpenedPair, mode: "distilled" | "hybrid"): Promise<number> {
  let total = 0;
  for await (const event of generate(pair, {
    mode,
    prompts: ["a cartoon character"],
    seeds: [0, 1, 2, 3, 4, 5, 6, 7],
  })) {
    if (event.type === "done") total = (event.milliseconds.denoise + event.milliseconds.decode) / event.images;
  }
  return total;
}

/** Milliseconds of a hybrid run, of the same run recorded, of decoding all latents of its trace, and of the trace. */
async function traceTimes(pair: OpenedPair) {
  const request = { prompts: ["a cartoon character"], seeds: [0, 1, 2, 3, 4, 5, 6, 7], mode: "hybrid" as const };
  const timed = async (work: () => Promise<unknown>) => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  const plain = await timed(async () => {
    for await (const _ of generate(pair, request));
  });
  let recording: Recording | undefined;
  const recorded = await timed(async () => {
    const run = record(pair, request);
    let next = await run.next();
    while (!next.done) next = await run.next();
    recording = next.value;
  });
  const latents = recording?.tracks.flatMap((t) => [...t.x0, ...t.xt]) ?? [];
  const preview = await openPreview(pair);
  const decoding = await timed(() => preview(latents));
  const { prompts, seeds } = request;
  const traced = await timed(async () => {
    const asked = { prompt: prompts[0] ?? "", seeds, modes: ["hybrid"] as const, causal: false };
    for await (const _ of trace(pair, asked));
  });
  return { plain, recorded, decoding, traced };
}

const BENCHES: readonly Bench[] = [
  { name: "studio", onRequest: true, run: runStudioBench },
  { name: "web", onRequest: true, run: runWebBench },
  {
    name: "embedded",
    async run(report) {
      const pair = await openPair();
      const index = await pair.base.weights();
      const { draw: drawn } = pair.base.denoiser;
      const draw = (i: DrawingWeights, s: DenoiserShape) => drawn(s, i);
      const shape = { height: 16, width: 16, tokens: pair.text.tokens };
      await pair.close();
      const python = findPython();
      for (const batch of [1, 16]) {
        const label = `embedded UNet, batch ${batch}`;
        const ours = await timeStep(
          { label, draw, index, shape, batch, runs: 40, threads },
          await peakOf(report),
          report,
        );
        if ("python" in python) {
          const theirs = diffusersStep(python.python, embedded, { ...shape, batch, runs: 40, threads });
          report({ name: `${label}: diffusers step`, value: theirs, unit: "ms" });
          report({ name: `${label}: diffusers / variegate time`, value: theirs / ours, unit: "ratio", aim: "≥ 1.3" });
        }
      }
      if ("missing" in python) process.stderr.write(`diffusers is not compared: ${python.missing}\n`);
    },
  },
  {
    name: "hybrid",
    async run(report) {
      const pair = await openPair({}, { threads });
      const times = { distilled: [] as number[], hybrid: [] as number[] };
      const ratios: number[] = [];
      for (let i = 0; i < 12; i++) {
        const distilled = await imageTime(pair, "distilled");
        const hybrid = await imageTime(pair, "hybrid");
        // The first round loads and warms up both models.
        if (i === 0) continue;
        times.distilled.push(distilled);
        times.hybrid.push(hybrid);
        ratios.push(hybrid / distilled);
      }
      await pair.close();
      for (const mode of ["distilled", "hybrid"] as const) {
        const { median, note } = middle(times[mode]);
        report({ name: `${mode}: one image of eight`, value: median, unit: "ms", note });
      }
      const { median } = middle(ratios);
      report({ name: "hybrid/distilled time", value: median, unit: "ratio", aim: "≤ 1.05", note: "median of pairs" });
    },
  },
  {
    name: "trace",
    async run(report) {
      const pair = { ...(await openPair({}, { threads })), row: null };
      const ratios = { recording: [] as number[], showing: [] as number[] };
      for (let i = 0; i < 8; i++) {
        const { plain, recorded, decoding, traced } = await traceTimes(pair);
        if (i === 0) continue;
        ratios.recording.push(recorded / plain);
        ratios.showing.push(traced / (plain + decoding));
      }
      await pair.close();
      const note = "median of pairs";
      const { median: recording } = middle(ratios.recording);
      report({ name: "recorded / plain time", value: recording, unit: "ratio", aim: "≤ 1.05", note });
      const { median: showing } = middle(ratios.showing);
      report({ name: "traced / (plain + preview decoding)", value: showing, unit: "ratio", aim: "≤ 1.1", note });
    },
  },
  {
    name: "help",
    async run(report) {
      const bin = fileURLToPath(new URL("../bin/variegate.js", import.meta.url));
      const times = [];
      for (let i = 0; i < 8; i++) {
        const start = performance.now();
        spawnSync(process.execPath, [bin, "--help"]);
        times.push(performance.now() - start);
      }
      const { median, note } = middle(times.slice(1));
      report({ name: "--help", value: median, unit: "ms", aim: "< 300", note });
    },
  },
  {
    name: "int8",
    async run(report) {
      await compareInt8(threads, report);
      await timeInt8(threads, await peakOf(report), report);
    },
  },
  {
    name: "sdxl",
    async run(report) {
      process.stderr.write("writing 10.3 GB of random SDXL weights …\n");
      const made = await makeSyntheticUNet("sdxl");
      try {
        const label = "SDXL UNet at 512 px";
        const shape = { height: 64, width: 64, tokens: 77 };
        const o = {
          label,
          draw: (i: DrawingWeights, s: DenoiserShape) => drawUNet(made.config, i, s),
          index: made.index,
          shape,
          batch: 1,
          runs: 5,
          threads,
        };
        const ours = await timeStep(o, await peakOf(report), report);
        for (const adapters of [1, 4]) {
          const { median, note } = await timeSliders(o, adapters);
          const name = `SDXL step with ${adapters} rank-4 slider${adapters > 1 ? "s" : ""} / without`;
          report({ name, value: median / ours, unit: "ratio", aim: adapters > 1 ? "≤ 1.15" : "≤ 1.05", note });
        }
        const python = findPython();
        if ("python" in python) {
          const theirs = diffusersStep(python.python, made.folder, { ...shape, batch: 1, runs: 3, threads });
          report({ name: `${label}: diffusers step`, value: theirs, unit: "ms" });
          report({ name: `${label}: diffusers / variegate time`, value: theirs / ours, unit: "ratio", aim: "≥ 1.3" });
        }
      } finally {
        await made.remove();
      }
    },
  },
  {
    name: "train",
    async run(report) {
      for (const size of ["embedded", "sd15"] as const) await timeTraining(size, threads, report);
    },
  },
  { name: "train-sdxl", onRequest: true, run: (report) => timeTraining("sdxl", threads, report) },
  {
    name: "peers",
    onRequest: true,
    run: (report) => runPeers(report, { threads, rounds: options.rounds, size: options.size, sdCli: options.sdCli }),
  },
  { name: "scale", onRequest: true, run: (report) => scaleEmbedded(report, threads) },
  { name: "scale-sdxl", onRequest: true, run: (report) => scaleSdxl(report, threads) },
  { name: "scale-adapters", onRequest: true, run: (report) => scaleAdapters(report, threads) },
  { name: "first", onRequest: true, run: (report) => runFirst(report, threads) },
  { name: "instruments", onRequest: true, run: (report) => timeInstruments(report, threads) },
  { name: "memory", onRequest: true, run: (report) => runMemory(report, threads) },
  {
    name: "family",
    onRequest: true,
    async run(report) {
      const { family: name = "z-image", size, memory, compute, measure } = options;
      const parts = measure ? [measure] : (["run", "blocks"] as const);
      const budget = 0.8e9 * memory;
      await runFamily(report, { name, size, threads, budget, compute, parts, peak: await peakOf(report) });
    },
  },
];

/** Reads a positive multiple of `unit`. */
const multipleOf = (unit: number) => (text: string) => {
  const n = Number(text);
  if (!(Number.isInteger(n) && n > 0 && n % unit === 0))
    throw new InvalidArgumentError(`expected a positive ${unit === 1 ? "integer" : `multiple of ${unit}`}`);
  return n;
};

const program = new Command("bench")
  .description("Benchmarks of speed and memory.")
  .addHelpText("before", "Example:\n  npm run bench -- --only hybrid\n\n")
  .option("--json", "print one JSON object per line")
  .option("--sdxl", "peak memory of an SDXL run at 1024 px by phase (same as --only memory); needs 12.1 GB of disk")
  .option("--peers", "this project's engines beside PyTorch and OpenVINO (same as --only peers); needs 11 GB of disk")
  .option("--sd-cli <path>", "compare --peers with this program of stable-diffusion.cpp too; needs 7 GB more")
  .option("--rounds <n>", "rounds of --peers", multipleOf(1), 3)
  .addOption(
    new Option(
      "--family <name>",
      "memory and time of a transformer family at its real size, by phase and beside PyTorch (same as --only family)",
    ).choices(FAMILY_NAMES),
  )
  .option(
    "--memory <GB>",
    "memory of the machine that --family is measured for, of which 0.8 are used",
    multipleOf(1),
    24,
  )
  .addOption(new Option("--compute <type>", "compute type of --family").choices(["float32", "int8"]).default("float32"))
  .addOption(new Option("--measure <part>", "of --family only the run, or a few blocks").choices(["run", "blocks"]))
  .option(
    "--size <n>",
    "width and height of the picture of --peers and --family, a multiple of 64",
    multipleOf(64),
    512,
  )
  .option(
    "--compare <file>",
    "compare with the output of an earlier run with --json, as ratios to the MatMul peak of each run",
  )
  .option("--only <name>", `run one benchmark: ${BENCHES.map((b) => b.name).join(", ")}`);

interface Options {
  readonly json?: boolean;
  readonly only?: string;
  readonly sdxl?: boolean;
  readonly peers?: boolean;
  readonly family?: FamilyName;
  readonly memory: number;
  readonly compute: "float32" | "int8";
  readonly measure?: "run" | "blocks";
  readonly rounds: number;
  readonly sdCli?: string;
  readonly size: number;
  readonly compare?: string;
}
/** Benchmark of an option that stands for one. */
const namedBy = ({ sdxl, peers, family }: Options) =>
  sdxl ? "memory" : peers ? "peers" : family ? "family" : undefined;
const options = program.parse().opts<Options>();
const { json, compare, only = namedBy(options) } = options;
const chosen = BENCHES.filter((b) => (only === undefined ? !b.onRequest : b.name === only));
if (chosen.length === 0)
  program.error(`--only ${only}: unknown benchmark; expected one of ${BENCHES.map((b) => b.name).join(", ")}`, {
    exitCode: 2,
  });
const print = (figure: Figure) => process.stdout.write(`${json ? JSON.stringify(figure) : lineOf(figure)}\n`);
const earlier = compare === undefined ? null : readFigures(compare);
const report = (figure: Figure) => {
  print(figure);
  const ratio = earlier && comparedWith(earlier, figure, peak);
  if (ratio) print(ratio);
};
if (earlier) await peakOf(report);
for (const bench of chosen) {
  try {
    await bench.run(report);
  } catch (error) {
    if (!(error instanceof VariegateError)) throw error;
    process.stderr.write(`${bench.name}: ${error.message}\n`);
    process.exitCode = error.exitCode;
  }
}
