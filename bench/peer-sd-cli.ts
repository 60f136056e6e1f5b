/**
 * stable-diffusion.cpp in a process of its own, for `bench --peers`: FOLDER COMMAND SIZE THREADS. Runs its program once, for a picture of five
 * steps, and prints as JSON what it says of itself.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { PeerTimes } from "./peers.js";
import { WHOLE } from "./synthetic.js";

/** Milliseconds between two readings of the memory. */
const INTERVAL = 200;

/** Times that the program's output tells. The first step counts as loading, as for the other engines. @throws Error if one is missing */
export function timesIn(output: string): Omit<PeerTimes, "peak"> {
  const seconds = (pattern: RegExp) => {
    const found = pattern.exec(output)?.[1];
    if (found === undefined) throw new Error(`its output has no line with ${pattern.source}`);
    return 1000 * Number(found);
  };
  const steps = [...output.matchAll(/\d+\/5 - ([\d.]+)(s\/it|it\/s)/g)].map(([, n, unit]) =>
    unit === "s/it" ? 1000 * Number(n) : 1000 / Number(n),
  );
  const [first, ...others] = steps;
  if (first === undefined || others.length !== 4)
    throw new Error(`expected the times of 5 steps, found ${steps.length}`);
  return {
    load: seconds(/loading tensors completed, taking ([\d.]+)s/) + first,
    steps: others,
    decode: seconds(/decode_first_stage completed, taking ([\d.]+)s/),
  };
}

async function run([folder = "", command = "", size = "512", threads = "1"]: readonly string[]): Promise<PeerTimes> {
  const given = ["--width", size, "--height", size, "--threads", threads, "--output", path.join(folder, "sd-cli.png")];
  const fixed = [
    "--steps",
    "5",
    "--cfg-scale",
    "1",
    "--sampling-method",
    "euler",
    "--seed",
    "7",
    "--prompt",
    "a lighthouse",
  ];
  const child = spawn(command, ["--model", path.join(folder, WHOLE), ...given, ...fixed], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const heard = (data: Buffer) => {
    output += data.toString();
  };
  child.stdout.on("data", heard);
  child.stderr.on("data", heard);
  let peak: number | null = null;
  const timer = setInterval(() => {
    peak = peakOf(child.pid) ?? peak;
  }, INTERVAL);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).finally(() => clearInterval(timer));
  if (status !== 0) throw new Error(`${command}: exit status ${status}: ${output.trim().split("\n").at(-1)}`);
  return { ...timesIn(output), peak };
}

/** Peak resident memory of a process in bytes, where the system tells it. */
function peakOf(pid: number | undefined): number | null {
  try {
    const found = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return found ? 1024 * Number(found[1]) : null;
  } catch {
    return null;
  }
}

if (process.argv[1]?.endsWith("peer-sd-cli.ts"))
  process.stdout.write(`${JSON.stringify(await run(process.argv.slice(2)))}\n`);
