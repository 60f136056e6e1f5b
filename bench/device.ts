/**
 * `npm run device`: whether every device of this machine gives the CPU's images, and its speed in an SDXL-sized UNet, in under four minutes.
 * Prints a Markdown table. Each device is measured in a process of its own: a crash or a hang is a row.
 */
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { VariegateError } from "../src/errors.js";
import { type DeviceReport, examine, type MachineReport } from "../src/inspect/index.js";
import { type Measured, measuredSchema, REQUEST, type taskSchema } from "./device-measure.js";
import { differenceOf } from "./figures.js";
import { makeSyntheticUNet } from "./synthetic.js";

/** Milliseconds for everything. */
const LIMIT = 230_000;
/** Milliseconds in which further SDXL steps begin. */
const PATIENCE = 15_000;
/**
 * Largest differences from the CPU's images in float32, of 255. float32 differs in the order of sums; CUDA's is TF32, whose products have as
 * many digits as float16's.
 */
const BOUNDS = {
  float32: { mean: 0.1, largest: 8 },
  float16: { mean: 1, largest: 48 },
  // Measured: docs/openvino.md. With eight bits of precision, a detail can come out differently.
  bfloat16: { mean: 4, largest: 255 },
} as const;

interface Difference {
  readonly compute: keyof typeof BOUNDS;
  readonly mean: number;
  readonly largest: number;
  readonly within: boolean;
}

interface Row {
  readonly device: string;
  readonly differences: readonly Difference[];
  /** Milliseconds of an image, by compute type. */
  readonly images: Readonly<Record<string, number>>;
  readonly step: {
    readonly compute: string;
    readonly milliseconds: number;
    readonly teraflops: number;
    readonly memory: number | null;
  } | null;
  /** What failed. */
  readonly problems: readonly string[];
}

const progress = (text: string) => process.stderr.write(`${text}\n`);

/** Measures a device in a process of its own, for at most `limit` milliseconds. */
async function measureApart(task: Parameters<typeof taskSchema.parse>[0] & object, limit: number) {
  const script = fileURLToPath(new URL("device-measure.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script, JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<string | null>((resolve) => {
    child.once("close", (code, signal) => resolve(code === 0 ? null : `its process ended with ${signal ?? code}`));
  });
  let slow = false;
  const timer = setTimeout(() => {
    slow = true;
    child.kill("SIGKILL");
  }, limit);
  let last = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    last = text.trim().split("\n")[0] ?? last;
  });
  const measured: Measured[] = [];
  for await (const line of createInterface({ input: child.stdout }))
    measured.push(measuredSchema.parse(JSON.parse(line)));
  const end = await ended;
  clearTimeout(timer);
  if (slow) return { measured, problem: `stopped after ${Math.round(limit / 1000)} s` };
  return { measured, problem: end && last ? `${end} (${last})` : end };
}

/** Difference of images from the CPU's, in base64. */
function comparison(
  compute: Difference["compute"],
  device: string,
  images: readonly string[],
  reference: readonly string[],
): Difference {
  const pixels = (list: readonly string[]) => list.map((text) => Buffer.from(text, "base64"));
  const { mean, largest } = differenceOf(pixels(images), pixels(reference));
  const bound = BOUNDS[device === "cuda" ? "float16" : compute];
  return { compute, mean, largest, within: mean <= bound.mean && largest <= bound.largest };
}

function rowOf(
  device: string,
  measured: readonly Measured[],
  problem: string | null,
  reference: readonly string[],
): Row {
  const found = measured.flatMap((m) => (m.kind === "images" ? [m] : []));
  // The last round's, whose time is that of a device that has loaded its models.
  const images = [...new Map(found.map((m) => [m.compute, m])).values()];
  const step = measured.find((m) => m.kind === "step");
  const failed = measured.flatMap((m) => (m.kind === "failed" ? [`${m.part} in ${m.compute}: ${m.why}`] : []));
  return {
    device,
    differences: device === "cpu" ? [] : images.map((m) => comparison(m.compute, device, m.images, reference)),
    images: Object.fromEntries(images.map((m) => [m.compute, m.milliseconds])),
    step: step
      ? {
          compute: step.compute,
          milliseconds: step.milliseconds,
          teraflops: step.operations / step.milliseconds / 1e9,
          memory: step.memory,
        }
      : null,
    problems: [...failed, ...(problem === null ? [] : [problem])],
  };
}

/** Name of the graphics card, if it is one of NVIDIA's. */
function cardName(): string {
  const { status, stdout } = spawnSync("nvidia-smi", ["--query-gpu=name,driver_version", "--format=csv,noheader"], {
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim().replaceAll("\n", "; ") : "no NVIDIA card";
}

/** A Markdown table of the rows. */
function markdown(rows: readonly Row[]): string {
  const difference = (row: Row, compute: string) => {
    if (row.device === "cpu") return compute === "float32" ? "reference" : "–";
    const found = row.differences.find((d) => d.compute === compute);
    if (!found) return "–";
    return `${found.mean.toFixed(3)} / ${found.largest}${found.within ? "" : " **too far**"}`;
  };
  const cells = rows.map((row) => [
    row.device,
    difference(row, "float32"),
    difference(row, row.device === "openvino" ? "bfloat16" : "float16"),
    Object.entries(row.images)
      .map(([compute, ms]) => `${ms.toFixed(0)} ms (${compute})`)
      .join(", ") || "–",
    row.step ? `${row.step.milliseconds.toFixed(0)} ms (${row.step.compute})` : "–",
    row.step ? row.step.teraflops.toFixed(2) : "–",
    row.step?.memory ? `${(row.step.memory / 1e9).toFixed(1)} GB` : "–",
  ]);
  const head = [
    "device",
    "float32: mean / largest difference, of 255",
    "float16, on openvino bfloat16: the same",
    "an image of the embedded pair",
    "SDXL-sized step, 512 px",
    "TFLOP/s",
    "memory",
  ];
  return [head, head.map(() => "---"), ...cells].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

/** Measures all devices that run; the CPU comes first, since the others are compared with it. */
async function measureAll(report: MachineReport, sdxl: string | null, start: number): Promise<Row[]> {
  const running = report.devices
    .filter((d) => d.runs)
    .sort((a, b) => Number(b.device === "cpu") - Number(a.device === "cpu"));
  const rows: Row[] = [];
  let reference: readonly string[] = [];
  for (const [i, { device, computes }] of running.entries()) {
    const share = (LIMIT - (performance.now() - start)) / (running.length - i);
    progress(`${device}: at most ${Math.round(share / 1000)} s …`);
    const floats = computes.filter((compute) => compute !== "int8");
    const { measured, problem } = await measureApart({ device, computes: floats, sdxl, patience: PATIENCE }, share);
    if (device === "cpu") reference = measured.find((m) => m.kind === "images")?.images ?? [];
    rows.push(rowOf(device, measured, problem, reference));
  }
  return rows;
}

const missingLine = ({ device, why }: DeviceReport) => `${device}: ${why}`;

function print(report: MachineReport, rows: readonly Row[], missing: readonly DeviceReport[], json: boolean): void {
  const { versions, processor, processors, platform } = report;
  const machine = `${platform}, ${processors} × ${processor}, ${cardName()}, ONNX Runtime ${versions.onnxruntime}, Node ${versions.node}`;
  const bounds = { ...BOUNDS, cuda: BOUNDS.float16 };
  if (json) {
    process.stdout.write(`${JSON.stringify({ machine, request: REQUEST, bounds, rows, missing })}\n`);
    return;
  }
  const bound = ({ mean, largest }: { mean: number; largest: number }) => `${mean} / ${largest}`;
  const lines = [
    machine,
    "",
    markdown(rows),
    "",
    `Bounds: ${bound(BOUNDS.float32)} in float32, ${bound(BOUNDS.float16)} in float16 and on cuda, whose float32 products are TF32.`,
    ...rows.flatMap(({ device, problems }) => problems.map((problem) => `${device}: ${problem}`)),
    ...missing.map(missingLine),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

const options = new Command("device")
  .description("Compares every device of this machine with its CPU, and times an SDXL-sized UNet on it.")
  .addHelpText("before", "Example:\n  npm run device -- --quick\n\n")
  .option("--json", "print one JSON object")
  .option("--quick", "leave out the SDXL-sized UNet, which needs 5.2 GB of disk")
  .parse()
  .opts<{ json?: boolean; quick?: boolean }>();

// Since the process started: loading what it needs takes a second.
const start = 0;
progress("trying devices …");
const report = await examine();
if (!options.quick) progress("writing 5.1 GB of random SDXL weights …");
try {
  const made = options.quick ? null : await makeSyntheticUNet("sdxl", "float16");
  try {
    const rows = await measureAll(report, made?.folder ?? null, start);
    print(
      report,
      rows,
      report.devices.filter((d) => !d.runs),
      options.json ?? false,
    );
    if (rows.some((row) => row.problems.length > 0 || row.differences.some((d) => !d.within))) process.exitCode = 1;
  } finally {
    await made?.remove();
  }
} catch (error) {
  if (!(error instanceof VariegateError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exitCode;
}
progress(`${Math.round((performance.now() - start) / 1000)} s`);
