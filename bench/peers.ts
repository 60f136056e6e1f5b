/**
 * SDXL with random weights in this project's engines beside PyTorch's, OpenVINO's and stable-diffusion.cpp's: a step, a decode, a picture of four steps, loading and
 * memory. Every engine runs in a process of its own, one after another in several rounds, so that what else happens on the machine meets all.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { findPython } from "./diffusers.js";
import { type Figure, middle, type Report } from "./figures.js";
import { makeSyntheticParts } from "./synthetic.js";

/** What a process measured, times in milliseconds. */
export interface PeerTimes {
  /** Loading of both networks with their first calls. */
  readonly load: number;
  /** Four calls of the UNet. */
  readonly steps: readonly number[];
  readonly decode: number;
  /** Peak resident memory in bytes; null where the system does not tell it. */
  readonly peak: number | null;
}

interface Engine {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

export interface PeersOptions {
  readonly threads: number;
  readonly rounds: number;
  /** Width and height of the picture in pixels. */
  readonly size: number;
  /** The program of stable-diffusion.cpp, `sd-cli`. */
  readonly sdCli?: string | undefined;
}

const own = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const OURS = [
  ["cpu", "float32"],
  ["cpu", "int8"],
  ["openvino", "float32"],
  ["openvino", "bfloat16"],
] as const;
const THEIRS = [
  ["torch", "float32"],
  ["torch", "bfloat16"],
  ["openvino", "float32"],
  ["openvino", "bfloat16"],
] as const;
const NAMES = { torch: "PyTorch", openvino: "OpenVINO" } as const;

/** Measures all engines that are there, and reports ratios to this project's float32. */
export async function runPeers(report: Report, { threads, rounds, size, sdCli }: PeersOptions): Promise<void> {
  if (sdCli === undefined) process.stderr.write("stable-diffusion.cpp is not compared: --sd-cli names no program\n");
  process.stderr.write(`writing ${sdCli === undefined ? "5.3" : "12.2"} GB of random SDXL weights …\n`);
  const { folder, remove } = await makeSyntheticParts({ whole: sdCli !== undefined });
  try {
    const given = [String(size), String(threads)];
    const tsx = own("../node_modules/tsx/dist/cli.mjs");
    const python = findPython();
    if ("missing" in python) process.stderr.write(`PyTorch and OpenVINO are not compared: ${python.missing}\n`);
    const engines: Engine[] = [
      ...OURS.map(([device, type]) => ({
        name: `variegate ${type}${device === "openvino" ? " on openvino" : ""}`,
        command: process.execPath,
        args: [tsx, own("peer.ts"), folder, device, type, ...given],
      })),
      ...("missing" in python ? [] : THEIRS).map(([engine, type]) => ({
        name: `${NAMES[engine]} ${type}`,
        command: "python" in python ? python.python : "",
        args: [own("peer.py"), folder, engine, type, ...given],
      })),
      ...(sdCli === undefined ? [] : [sdCli]).map((program) => ({
        name: "stable-diffusion.cpp float16",
        command: process.execPath,
        args: [tsx, own("peer-sd-cli.ts"), folder, program, ...given],
      })),
    ];
    const found = new Map<string, PeerTimes[]>();
    for (let round = 0; round < rounds; round++) {
      for (const { name, command, args } of engines) {
        if (round > 0 && !found.has(name)) continue;
        process.stderr.write(`round ${round + 1} of ${rounds}: ${name}\n`);
        const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 2 ** 28 });
        if (status === 0) found.set(name, [...(found.get(name) ?? []), readTimes(stdout)]);
        else process.stderr.write(`${name} is left out: ${reasonIn(stderr)}\n`);
      }
    }
    for (const figure of figuresOf(found, size)) report(figure);
  } finally {
    await remove();
  }
}

/** The line that says why a process failed: the last one with an error, else the last. */
function reasonIn(stderr: string): string {
  const lines = stderr.trim().split("\n");
  return lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? "";
}

const readTimes = (stdout: string): PeerTimes => JSON.parse(stdout.trim().split("\n").at(-1) ?? "");

const picture = ({ steps, decode }: PeerTimes) => steps.reduce((n, ms) => n + ms, decode);

/** Figures of every engine, then ratios to float32 of this project, and of the fastest of all types. */
export function figuresOf(found: ReadonlyMap<string, readonly PeerTimes[]>, size: number): Figure[] {
  const at = `SDXL at ${size} px`;
  const rows = [...found].map(([name, all]) => ({
    name,
    step: middle(all.flatMap(({ steps }) => steps)),
    decode: middle(all.map(({ decode }) => decode)),
    whole: middle(all.map(picture)),
    load: middle(all.map(({ load }) => load)),
    peaks: all.flatMap(({ peak }) => peak ?? []),
  }));
  const [exact] = rows;
  const figures = rows.flatMap(({ name, step, decode, whole, load, peaks }): Figure[] => [
    { name: `${at}, ${name}: step`, value: step.median, unit: "ms", note: step.note },
    { name: `${at}, ${name}: decode`, value: decode.median, unit: "ms", note: decode.note },
    { name: `${at}, ${name}: four steps and decode`, value: whole.median, unit: "ms", note: whole.note },
    { name: `${at}, ${name}: load and first calls`, value: load.median / 1000, unit: "s" },
    ...(peaks.length > 0
      ? [{ name: `${at}, ${name}: peak memory`, value: Math.max(...peaks) / 1e9, unit: "GB" } as const]
      : []),
  ]);
  if (!exact) return figures;
  const ratios = rows.slice(1).flatMap(({ name, step, whole }): Figure[] => [
    { name: `${at}: step, ${name} / ${exact.name}`, value: step.median / exact.step.median, unit: "ratio" },
    { name: `${at}: picture, ${name} / ${exact.name}`, value: whole.median / exact.whole.median, unit: "ratio" },
  ]);
  const ours = rows.filter(({ name }) => name.startsWith("variegate"));
  const best = Math.min(...ours.map(({ step }) => step.median));
  const others = rows.filter(({ name }) => !name.startsWith("variegate")).map(({ step }) => step.median);
  return [
    ...figures,
    ...ratios,
    { name: "SDXL-sized step: best type / float32", value: best / exact.step.median, unit: "ratio", aim: "≤ 0.47" },
    ...(others.length > 0
      ? [
          {
            name: `${at}: step, best of others / best of ours`,
            value: Math.min(...others) / best,
            unit: "ratio",
            aim: "≥ 1.0",
          } as const,
        ]
      : []),
  ];
}
