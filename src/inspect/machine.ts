/** Versions and devices of this machine, for `doctor` and run.json. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { VariegateError } from "../errors.js";
import { createBuilder } from "../graph/index.js";
import { type Compute, DEVICE_COMPUTES, encodedFor } from "../networks/index.js";
import type { OpenedPair } from "../open/index.js";
import { DEVICES, type Device, type Runtime } from "../runtime/index.js";
import { openRuntime } from "../runtime/node/index.js";
import { bytesOf, count, float } from "../tensor/index.js";
import { chromiumPath } from "./chromium.js";
import { missingFor } from "./missing.js";

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
  /** Path of Chromium, for tests of pages; null where it is not installed. */
  readonly chromium: string | null;
}

export interface DeviceReport {
  readonly device: Device;
  readonly runs: boolean;
  readonly why: string;
  /** Compute types in which a test product and convolution are correct. */
  readonly computes: readonly Compute[];
}

/** Examines this machine: runs a test product and a convolution on every device. */
export async function examine(): Promise<MachineReport> {
  const devices = await Promise.all(DEVICES.map(async (device) => ({ device, ...(await tryDevice(device)) })));
  return {
    versions: versions(),
    platform: `${process.platform}-${process.arch}`,
    processors: os.availableParallelism(),
    processor: os.cpus()[0]?.model ?? "unknown",
    memory: Math.min(os.totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY),
    free: os.freemem(),
    devices,
    chromium: chromiumPath(),
  };
}

/** Runs a test product and a convolution on a device. */
export async function tryDevice(device: Device): Promise<Omit<DeviceReport, "device">> {
  const runtime = openRuntime({ device, threads: 1 });
  try {
    const right: Compute[] = [];
    for (const compute of DEVICE_COMPUTES[device]) {
      if (await computes(runtime, compute)) right.push(compute);
    }
    const runs = right.includes("float32");
    const why = `a test product and convolution are ${runs ? "correct" : "wrong"}`;
    return { runs, why, computes: right };
  } catch (error) {
    if (!(error instanceof VariegateError)) throw error;
    return { runs: false, why: missingFor(device, error.problem), computes: [] };
  } finally {
    await runtime.close();
  }
}

/**
 * Checks that 32 ones times 32 halves are 16, and that a convolution of 2 × 3 ones with halves is 3: CUDA has the latter from cuDNN, a library
 * of its own. @throws MachineError if float32, which every device has, cannot run
 */
async function computes(runtime: Runtime, compute: Compute): Promise<boolean> {
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
  const kernel = g.constant([1, 1, 2, 3], new Float32Array(6).fill(0.5));
  const graph = g.finish({
    product: g.linear(g.input("x", [1, 32]), w),
    convolution: g.conv(g.input("image", [1, 1, 2, 3]), kernel, undefined, { pads: [0, 0, 0, 0] }),
  });
  const ones = (shape: readonly number[]) => float(shape, new Float32Array(count(shape)).fill(1));
  try {
    const session = await runtime.load(await encodedFor(runtime.device, graph, compute));
    const { outputs } = await session.run({ x: ones([1, 32]), image: ones([1, 1, 2, 3]) });
    await session.release();
    const is = (name: string, value: number) => Math.abs(Number(outputs[name]?.data[0]) - value) < 0.1;
    return is("product", 16) && is("convolution", 3);
  } catch (error) {
    if (compute === "float32" || !(error instanceof VariegateError)) throw error;
    return false;
  }
}
