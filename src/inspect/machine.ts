/** Versions and devices of this machine, for `doctor` and run.json. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { promisify } from "node:util";
import { z } from "zod";
import { reasonOf, VariegateError } from "../errors.js";
import { createBuilder, encodeGraph } from "../graph/index.js";
import { COMPUTES, type Compute } from "../networks/index.js";
import type { OpenedPair } from "../open/index.js";
import { DEVICES, type Device, type Runtime } from "../runtime/index.js";
import { openRuntime } from "../runtime/node/index.js";
import { bytesOf, float } from "../tensor/index.js";
import { missingForCuda } from "./cuda.js";

const run = promisify(execFile);

export interface Versions {
  readonly variegate: string;
  readonly node: string;
  readonly onnxruntime: string;
}

const readVersion = (file: string | URL): string => {
  const json: unknown = JSON.parse(readFileSync(file, "utf8"));
  return typeof json === "object" && json !== null && "version" in json ? String(json.version) : "unknown";
};

/** Versions of Variegate, Node and ONNX Runtime. */
export function versions(): Versions {
  const ort = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
  return {
    variegate: readVersion(new URL("../../package.json", import.meta.url)),
    node: process.versions.node,
    onnxruntime: readVersion(ort),
  };
}

/** Facts of a run for run.json: versions, device, compute type, the pair's name, commits and platform. */
export function describeRun(pair: OpenedPair) {
  const { commits, engine } = pair;
  const platform = `${process.platform}-${process.arch}`;
  return {
    versions: versions(),
    device: engine.runtime.device,
    compute: engine.compute,
    pair: pair.row?.name ?? null,
    commits,
    platform,
  };
}

export interface MachineReport {
  readonly versions: Versions;
  readonly platform: string;
  readonly processors: number;
  readonly processor: string;
  /** Total memory in bytes. */
  readonly memory: number;
  readonly free: number;
  readonly devices: readonly DeviceReport[];
}

export interface DeviceReport {
  readonly device: Device;
  readonly runs: boolean;
  readonly why: string;
  /** Compute types in which a test product is correct. */
  readonly computes: readonly Compute[];
}

/** Examines this machine: runs a test product on every device. */
export async function examine(): Promise<MachineReport> {
  const devices: DeviceReport[] = [];
  for (const device of DEVICES) devices.push({ device, ...(await tryApart(device)) });
  return {
    versions: versions(),
    platform: `${process.platform}-${process.arch}`,
    processors: os.availableParallelism(),
    processor: os.cpus()[0]?.model ?? "unknown",
    memory: Math.min(os.totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY),
    free: os.freemem(),
    devices,
  };
}

const answerSchema = z.object({ runs: z.boolean(), why: z.string(), computes: z.array(z.enum(COMPUTES)) });

/** Tries a device in a process of its own where its drivers print warnings on stderr, past ONNX Runtime's log. */
async function tryApart(device: Device): Promise<Omit<DeviceReport, "device">> {
  if (device !== "webgpu" && device !== "cuda") return tryDevice(device);
  // The compiled module, also for tests that run this file from src/, a sibling of dist/.
  const module = new URL("../../dist/inspect/machine.js", import.meta.url);
  const script = `const { tryDevice } = await import(${JSON.stringify(module.href)}); console.log(JSON.stringify(await tryDevice(${JSON.stringify(device)})))`;
  try {
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script]);
    return answerSchema.parse(JSON.parse(stdout));
  } catch (error) {
    return { runs: false, why: `the process that tried it ended early (${reasonOf(error)})`, computes: [] };
  }
}

/** Runs a test product on a device. */
export async function tryDevice(device: Device): Promise<Omit<DeviceReport, "device">> {
  const runtime = openRuntime({ device, threads: 1 });
  try {
    const computes: Compute[] = [];
    for (const compute of COMPUTES) {
      const asked = compute === "int8" ? device === "cpu" : compute === "float32" || device !== "cpu";
      if (asked && (await multiplies(runtime, compute))) computes.push(compute);
    }
    const right = computes.includes("float32");
    return { runs: right, why: right ? "a test product is correct" : "a test product is wrong", computes };
  } catch (error) {
    const missing = device === "cuda" ? missingForCuda() : null;
    if (error instanceof VariegateError) return { runs: false, why: missing ?? error.problem, computes: [] };
    throw error;
  } finally {
    await runtime.close();
  }
}

/** Checks that 32 ones times 32 halves are 16. @throws MachineError if float32, which every device has, cannot run */
async function multiplies(runtime: Runtime, compute: Compute): Promise<boolean> {
  const g = createBuilder();
  const memory = (bytes: Uint8Array) => ({ in: "memory", source: { name: "no file" }, bytes }) as const;
  const scale = {
    name: "scales",
    dtype: "float32",
    shape: [1, 1],
    bytes: memory(bytesOf(Float32Array.of(0.5))),
  } as const;
  const matrix = {
    name: "w",
    dtype: "uint8",
    shape: [1, 32],
    bytes: memory(new Uint8Array(32).fill(129)),
    scales: scale,
  } as const;
  const w = compute === "int8" ? g.weight(matrix) : g.constant([1, 32], new Float32Array(32).fill(0.5));
  const graph = g.finish({ y: g.linear(g.input("x", [1, 32]), w) });
  try {
    const session = await runtime.load(encodeGraph(graph, { type: compute === "float16" ? "float16" : "float32" }));
    const { outputs } = await session.run({ x: float([1, 32], new Float32Array(32).fill(1)) });
    await session.release();
    return outputs["y"]?.dtype === "float32" && Math.abs((outputs["y"].data[0] ?? 0) - 16) < 0.1;
  } catch (error) {
    if (compute === "float32" || !(error instanceof VariegateError)) throw error;
    return false;
  }
}
