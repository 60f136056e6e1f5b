/** What there is to say about models and machines without running anything: for `models check`, `doctor` and every run.json. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { type Component, loneFolder, openCheckpoint, openComponentFolder } from "../checkpoint/index.js";
import { FileError, VariegateError } from "../errors.js";
import { createBuilder, encodeGraph, type Graph } from "../graph/index.js";
import {
  drawDecoder,
  drawEncoder,
  drawImageEncoder,
  drawTextEncoder,
  drawTinyDecoder,
  drawTinyEncoder,
  drawUNet,
  parseAutoencoderConfig,
  parseClipConfig,
  parseTextEncoderConfig,
  parseTinyAutoencoderConfig,
  parseUNetConfig,
} from "../models/index.js";
import { DEVICES, type Device, openRuntime, type Runtime } from "../runtime/index.js";
import { parseScheduler } from "../sampling/index.js";
import { count, float, storedAs, storedBytes, type WeightIndex } from "../tensor/index.js";
import type { Pair } from "./pair.js";
import { COMPUTES, type Compute } from "./precision.js";
import { locate, type Sources } from "./reference.js";

export interface Versions {
  readonly variegate: string;
  readonly node: string;
  readonly onnxruntime: string;
}

const versionSchema = (file: string | URL): string => {
  const json: unknown = JSON.parse(readFileSync(file, "utf8"));
  return typeof json === "object" && json !== null && "version" in json ? String(json.version) : "unknown";
};

/** Versions of what makes the numbers. */
export function versions(): Versions {
  const ort = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
  return {
    variegate: versionSchema(new URL("../../package.json", import.meta.url)),
    node: process.versions.node,
    onnxruntime: versionSchema(ort),
  };
}

/** What every run.json begins with. */
export function describeRun(pair: Pair) {
  const { compute, runtime } = pair;
  return { versions: versions(), device: runtime.device, compute, platform: `${process.platform}-${process.arch}` };
}

export interface ComponentReport {
  readonly name: string;
  readonly className: string;
  readonly parameters: number;
  readonly bytes: number;
  readonly dtypes: readonly string[];
  /** Tensors that the config has no use for. */
  readonly unused: readonly string[];
}

export interface CheckReport {
  readonly ref: string;
  readonly pipeline: string;
  readonly components: readonly ComponentReport[];
  readonly notes: readonly string[];
}

type Draw = (
  source: { file: string; config: Readonly<Record<string, unknown>> },
  index: WeightIndex,
) => readonly Graph[];

/** Draws every network that a class has, at a small size: shapes of weights do not depend on it. */
const CLASSES: Readonly<Record<string, Draw>> = {
  UNet2DConditionModel: (source, index) => {
    const config = parseUNetConfig(source);
    const side = 2 ** config.down.length;
    return [drawUNet(config, index, { height: side, width: side, tokens: 8 })];
  },
  AutoencoderKL: (source, index) => {
    const config = parseAutoencoderConfig(source);
    const side = 2 * config.factor;
    return [drawDecoder(config, index, 2, 2), drawEncoder(config, index, side, side)];
  },
  AutoencoderTiny: (source, index) => {
    const config = parseTinyAutoencoderConfig(source);
    const side = 2 * config.factor;
    return [drawTinyDecoder(config, index, 2, 2), drawTinyEncoder(config, index, side, side)];
  },
  CLIPModel: (source, index) => {
    const { text, image } = parseClipConfig(source);
    const state = { back: 0, finalNorm: true };
    return [drawTextEncoder(text, index, { tokens: 8, state, pooled: true }), drawImageEncoder(image, index)];
  },
  CLIPTextModel: (source, index) => drawText(source, index, false),
  CLIPTextModelWithProjection: (source, index) => drawText(source, index, true),
};

const drawText = (...[source, index, pooled]: [...Parameters<Draw>, boolean]): Graph[] => {
  const state = { back: 0, finalNorm: true };
  return [drawTextEncoder(parseTextEncoderConfig(source), index, { tokens: 8, state, pooled })];
};

/**
 * Reads everything a pipeline folder, or the folder of one network, says of itself and draws its networks, without loading one.
 * @throws what opening it would
 */
export async function checkReference(ref: string, sources: Sources = {}): Promise<CheckReport> {
  const path = await locate(ref, "model", sources);
  const folder = loneFolder(path);
  const alone = folder === null ? null : await openComponentFolder(folder);
  const checkpoint = alone
    ? { className: alone.className, components: new Map([[alone.name, alone]]), scheduler: null, index: {} }
    : await openCheckpoint(path);
  const components: ComponentReport[] = [];
  const { recognised }: { readonly recognised?: unknown } = checkpoint.index;
  const notes: string[] = typeof recognised === "string" ? [recognised] : [];
  for (const component of checkpoint.components.values()) {
    const draw = CLASSES[component.className];
    if (!draw) {
      notes.push(`${component.name}: ${component.className} is not drawn here`);
      continue;
    }
    components.push(await reportOn(component, draw));
  }
  if (checkpoint.scheduler) {
    const { className } = parseScheduler(checkpoint.scheduler.config, checkpoint.scheduler.file);
    notes.push(`scheduler: ${className}`);
  }
  if (components.length === 0) throw new FileError(path, `holds no network that can be drawn (${notes.join("; ")})`);
  return { ref, pipeline: checkpoint.className, components, notes };
}

async function reportOn(component: Component, draw: Draw): Promise<ComponentReport> {
  const index = await component.weights();
  const graphs = draw({ file: component.configFile, config: component.config }, index);
  const drawn = new Set(graphs.flatMap((g) => [...g.weights.values()].map((w) => w.name.replace(/\[.*\]$/, ""))));
  const all = [...index.weights.values()];
  return {
    name: component.name,
    className: component.className,
    parameters: all.reduce((n, w) => n + count(w.shape), 0),
    bytes: all.reduce((n, w) => n + storedBytes(w), 0),
    dtypes: [...new Set(all.map(storedAs))].sort(),
    unused: all.map((w) => w.name).filter((name) => !drawn.has(name)),
  };
}

export interface MachineReport {
  readonly versions: Versions;
  readonly platform: string;
  readonly processors: number;
  readonly processor: string;
  /** Bytes. */
  readonly memory: number;
  readonly free: number;
  readonly devices: readonly DeviceReport[];
}

export interface DeviceReport {
  readonly device: Device;
  readonly runs: boolean;
  readonly why: string;
  /** What it computed a small product in, rightly. */
  readonly computes: readonly Compute[];
}

const bytesOf = (a: Float32Array) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);

/** Looks at the machine and runs small products on every device. */
export async function examine(): Promise<MachineReport> {
  const devices: DeviceReport[] = [];
  for (const device of DEVICES) devices.push({ device, ...(await tryDevice(device)) });
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

async function tryDevice(device: Device): Promise<Omit<DeviceReport, "device">> {
  const runtime = openRuntime({ device, threads: 1 });
  try {
    const computes: Compute[] = [];
    for (const compute of COMPUTES) {
      const asked = compute === "int8" ? device === "cpu" : compute === "float32" || device !== "cpu";
      if (asked && (await multiplies(runtime, compute))) computes.push(compute);
    }
    const right = computes.includes("float32");
    return { runs: right, why: right ? "a small product came out right" : "a small product came out wrong", computes };
  } catch (error) {
    if (error instanceof VariegateError) return { runs: false, why: error.message, computes: [] };
    throw error;
  } finally {
    await runtime.close();
  }
}

/** Whether 32 ones times 32 halves are 16. @throws MachineError where float32, which everything has, cannot run */
async function multiplies(runtime: Runtime, compute: Compute): Promise<boolean> {
  const g = createBuilder();
  const memory = (bytes: Uint8Array) => ({ in: "memory", file: "no file", bytes }) as const;
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
