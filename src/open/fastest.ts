/** The fastest compute type for a pair on this processor, whose images stay near those of float32: measured once, and remembered. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { z } from "zod";
import { MachineError } from "../errors.js";
import { cacheFolder, formatJson, makeFolder, parseJson, writeWhole } from "../files/index.js";
import { type GenerateRequest, generate, type Pair } from "../generate/index.js";
import { COMPUTES, DEVICE_COMPUTES } from "../networks/index.js";
import { DEVICES, type Device } from "../runtime/index.js";
import type { ReadonlyData } from "../schema/index.js";
import { filesHash, nameOf } from "./calibrations.js";
import type { PairFiles } from "./read.js";
import type { ComputeOn, OpenOptions } from "./reference.js";

/** Largest mean difference of an image from float32's, of 255. */
export const BOUND = 1.5;
/** Largest side of the measured image in pixels: the order of the types depends little on it, and their time much. */
const SIDE = 512;
/** One step: over several, a detail that comes out differently says little about the type. */
const STEPS = 1;
const SEEDS = [0, 1, 2, 3];

const measuredSchema = z.object({
  device: z.enum(DEVICES),
  compute: z.enum(COMPUTES),
  /** Milliseconds of a model call. */
  milliseconds: z.number(),
  /** Mean difference of the images from float32's, of 255. */
  difference: z.number(),
});
/** A compute type on a device, measured. */
export type MeasuredCompute = ReadonlyData<z.infer<typeof measuredSchema>>;
const entrySchema = z.object({ key: z.string(), measured: z.array(measuredSchema) });
const fileSchema = z.object({ pairs: z.array(entrySchema) });

/** Devices that run on the processor, of which one is taken where none is asked for. */
const PROCESSOR: readonly Device[] = ["cpu", "openvino"];

/** File in which measurements are kept. */
export const computeFile = (env: NodeJS.ProcessEnv = process.env): string =>
  path.join(cacheFolder(env), "compute-types.json");

/** The fastest of those that stay within the bound; float32, which is first, otherwise. */
export function fastestOf(measured: readonly MeasuredCompute[]): ComputeOn {
  const [exact, ...others] = measured;
  if (!exact) throw new RangeError("nothing was measured");
  const right = others.filter(({ difference }) => difference <= BOUND);
  return right.reduce((best, m) => (m.milliseconds < best.milliseconds ? m : best), exact);
}

/**
 * Measures the compute types of a device, or of the processor's devices where none is asked for, with a few images of the pair itself, unless this
 * was done before for the same files, processor and threads.
 * @param open opens the pair on a device, in a compute type
 * @throws MachineError when not even float32 runs
 */
export async function fastestCompute(
  files: PairFiles,
  { device, threads = os.availableParallelism(), onMeasure }: OpenOptions,
  open: (on: ComputeOn) => Promise<Pair>,
  file = computeFile(),
): Promise<ComputeOn> {
  const names = [files.base, files.distilled].map((model) => nameOf(model?.ref ?? ""));
  const processor = os.cpus()[0]?.model ?? "unknown";
  const key = JSON.stringify([processor, threads, device ?? null, ...names, await filesHash(files)]);
  const known = await read(file);
  const found = known.find((entry) => entry.key === key);
  if (found) return fastestOf(found.measured);

  const candidates = (device ? [device] : PROCESSOR).flatMap((on) =>
    DEVICE_COMPUTES[on].map((compute) => ({ device: on, compute })),
  );
  const measured: MeasuredCompute[] = [];
  let exact: readonly Uint8Array[] = [];
  for (const [done, candidate] of candidates.entries()) {
    onMeasure?.({ ...candidate, done, total: candidates.length });
    try {
      const { images, milliseconds } = await timed(await open(candidate));
      if (exact.length === 0) exact = images;
      measured.push({ ...candidate, milliseconds, difference: difference(images, exact) });
    } catch (error) {
      // OpenVINO is not installed, or the processor has no such instructions. Without float32 nothing runs.
      if (!(error instanceof MachineError) || measured.length === 0) throw error;
    }
  }
  await makeFolder(path.dirname(file));
  const others = (await read(file)).filter((entry) => entry.key !== key);
  await writeWhole(file, Buffer.from(formatJson({ pairs: [...others, { key, measured }] })));
  return fastestOf(measured);
}

/** What was measured before; nothing where the file is damaged, which is a cache. */
async function read(file: string): Promise<z.infer<typeof fileSchema>["pairs"]> {
  if (!existsSync(file)) return [];
  try {
    return fileSchema.parse(parseJson(await readFile(file, "utf8"))).pairs;
  } catch {
    return [];
  }
}

/** Images of a pair, which is closed then, and the milliseconds of a model call when its networks are loaded. */
async function timed(pair: Pair): Promise<{ images: Uint8Array[]; milliseconds: number }> {
  const { width, height } = pair.size;
  const share = Math.min(1, SIDE / Math.max(width, height));
  const { multiple } = pair.base.denoiser;
  const side = (n: number) => Math.round((n * share) / multiple) * multiple;
  const request: GenerateRequest = {
    prompts: [pair.suggestions?.[0] ?? "a photograph of a cat"],
    seeds: SEEDS,
    batch: 1,
    size: { width: side(width), height: side(height) },
    mode: pair.distilled ? "distilled" : "base",
    steps: STEPS,
  };
  try {
    // The first run loads the networks.
    await runOnce(pair, { ...request, seeds: SEEDS.slice(0, 1) });
    return await runOnce(pair, request);
  } finally {
    await pair.close();
  }
}

async function runOnce(pair: Pair, request: GenerateRequest) {
  const images: Uint8Array[] = [];
  let milliseconds = Number.POSITIVE_INFINITY;
  for await (const event of generate(pair, request)) {
    if (event.type === "image") images.push(event.image.data);
    if (event.type === "done") milliseconds = event.milliseconds.denoise / event.calls;
  }
  return { images, milliseconds };
}

/** Mean difference of images from others, of 255. */
function difference(images: readonly Uint8Array[], reference: readonly Uint8Array[]): number {
  let [sum, count] = [0, 0];
  for (const [i, image] of images.entries()) {
    for (const [j, v] of image.entries()) sum += Math.abs(v - (reference[i]?.[j] ?? 255));
    count += image.length;
  }
  return sum / count;
}
