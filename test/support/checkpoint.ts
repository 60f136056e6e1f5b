/**
 * Checkpoints of test/goldens as real folders, written once into the temporary folder and kept by what they hold: the same
 * folders that parity/components.py writes for diffusers, with weights grown from the same seeds.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { z } from "zod";
import type { PairReference } from "../../src/open/index.js";
import { diversitySchema } from "../../src/sampling/hooks/methods.js";
import { count } from "../../src/tensor/index.js";
import { grow } from "./grow.js";
import { description, EMBEDDED } from "./parity.js";
import { torchFile } from "./torchfile.js";

/** Counted up when the way folders are written changes. */
const VERSION = 1;

const shapeSchema = z.array(z.number());
const componentSchema = z.object({
  library: z.enum(["diffusers", "transformers"]),
  class: z.string(),
  config: z.record(z.string(), z.unknown()),
  weights: z.object({
    seed: z.number(),
    dtype: z.enum(["float32", "float16", "bfloat16"]),
    storage: z.enum(["whole", "sharded", "fp16", "bin"]),
    fingerprint: z.tuple([z.number(), z.number()]),
    /** tensor, place, value, tensor, …: what the last bit of a logarithm decides (parity/weights.py). */
    ties: z.array(z.number()),
    stray: z.array(z.tuple([z.string(), shapeSchema])).default([]),
    tensors: z.array(z.tuple([z.string(), shapeSchema])),
  }),
});
export type ComponentGolden = z.output<typeof componentSchema>;

const checkpointsSchema = z.record(
  z.string(),
  z.object({
    index: z.record(z.string(), z.unknown()),
    scheduler: z.record(z.string(), z.unknown()),
    tokenizers: z.record(z.string(), z.string()),
    components: z.record(z.string(), z.string()),
  }),
);

/** Which models a recorded run has. */
export const pairSchema = z.object({
  base: z.string(),
  distilled: z
    .union([
      z.object({ checkpoint: z.string() }),
      z.object({ component: z.string(), as: z.enum(["folder", "transformer", "file"]) }),
    ])
    .optional(),
  decoder: z.string().optional(),
});

/** A tensor ready to be stored, in safetensors' words. */
export interface FileTensor {
  readonly name: string;
  readonly dtype: "F32" | "F16" | "BF16" | "I64";
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The description of a component. */
export const componentGolden = (name: string): ComponentGolden => description(`components/${name}`, componentSchema);

/** The name that a component's weights have, without ending: what openComponentWeights asks for. */
export const stemOf = ({ library }: ComponentGolden): string =>
  library === "diffusers" ? "diffusion_pytorch_model" : "model";

const WORDS = { float32: "F32", float16: "F16", bfloat16: "BF16" } as const;

/** Every tensor of a component's file, strays last. */
export function fileTensors({ weights }: ComponentGolden): FileTensor[] {
  const grown = grow(weights).map(({ name, dtype, shape, bytes }) => ({ name, dtype: WORDS[dtype], shape, bytes }));
  for (let i = 0; i < weights.ties.length; i += 3) {
    const [tensor = 0, place = 0, value = 0] = weights.ties.slice(i, i + 3);
    const bytes = grown[tensor]?.bytes;
    if (!bytes) throw new Error(`a tie names tensor ${tensor} of ${grown.length}`);
    new DataView(bytes.buffer, bytes.byteOffset).setUint16(2 * place, halfBits(value, weights.dtype), true);
  }
  const strays = weights.stray.map(([name, shape]): FileTensor => {
    const values = BigInt64Array.from({ length: count(shape) }, (_, i) => BigInt(i));
    return { name, dtype: "I64", shape, bytes: new Uint8Array(values.buffer) };
  });
  return [...grown, ...strays];
}

/** Bits of a value that is exactly a float16 (normal or not) or a bfloat16. */
function halfBits(value: number, dtype: ComponentGolden["weights"]["dtype"]): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  if (dtype === "bfloat16") return view.getUint16(0);
  const sign = (view.getUint8(0) & 0x80) << 8;
  const size = Math.abs(value);
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const units = size / 2 ** (exponent - 10);
  return sign | (units < 1024 ? units : ((exponent + 15) << 10) + units - 1024);
}

/** A folder for `facts`, made by `write` when it is not there yet; many processes may ask at once. */
function kept(facts: unknown, write: (folder: string) => void): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([VERSION, facts]))
    .digest("hex")
    .slice(0, 24);
  const root = path.join(tmpdir(), "variegate-goldens");
  const folder = path.join(root, hash);
  if (existsSync(folder)) return folder;
  mkdirSync(root, { recursive: true });
  const draft = mkdtempSync(path.join(root, "draft-"));
  write(draft);
  try {
    renameSync(draft, folder);
  } catch {
    // Another process was first.
    rmSync(draft, { recursive: true, force: true });
  }
  return folder;
}

/** The folder of one component: config.json and weights as its storage says. */
export function componentFolder(name: string): string {
  const golden = componentGolden(name);
  return kept(golden, (folder) => {
    writeFileSync(path.join(folder, "config.json"), JSON.stringify(golden.config));
    const write = (file: string, bytes: Uint8Array) => writeFileSync(path.join(folder, file), bytes);
    const tensors = fileTensors(golden);
    const stem = stemOf(golden);
    switch (golden.weights.storage) {
      case "whole":
        return write(`${stem}.safetensors`, safetensorsFile(tensors));
      case "fp16":
        return write(`${stem}.fp16.safetensors`, safetensorsFile(tensors));
      case "bin":
        return write(`${stem === "model" ? "pytorch_model" : stem}.bin`, torchFile(tensors));
      case "sharded":
        return writeShards(stem, tensors, write);
    }
  });
}

/** Every third tensor goes into the same file. */
function writeShards(stem: string, tensors: readonly FileTensor[], write: (file: string, bytes: Uint8Array) => void) {
  const files = ["00001", "00002", "00003"].map((n) => `${stem}-${n}-of-00003.safetensors`);
  for (const [i, file] of files.entries()) write(file, safetensorsFile(tensors.filter((_, j) => j % 3 === i)));
  const weightMap = Object.fromEntries(tensors.map(({ name }, j) => [name, files[j % 3]]));
  const total = tensors.reduce((n, { bytes }) => n + bytes.length, 0);
  const index = { metadata: { total_size: total }, weight_map: weightMap };
  write(`${stem}.safetensors.index.json`, Buffer.from(JSON.stringify(index)));
}

/** Tensors as a safetensors file. */
export function safetensorsFile(tensors: readonly FileTensor[]): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape, bytes }) => {
    const start = end;
    end += bytes.length;
    return [name, { dtype, shape, data_offsets: [start, end] }] as const;
  });
  const header = { __metadata__: { format: "pt" }, ...Object.fromEntries(entries) };
  const json = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([size, json, ...tensors.map(({ bytes }) => bytes)]);
}

/** The folder of a whole checkpoint, as diffusers lays it out. */
export function checkpointFolder(name: string): string {
  const golden = description("checkpoints", checkpointsSchema)[name];
  if (!golden) throw new Error(`there is no checkpoint ${name} in test/goldens`);
  const parts = Object.entries(golden.components).map(
    ([part, component]) => [part, componentFolder(component)] as const,
  );
  return kept({ golden, parts }, (folder) => {
    writeFileSync(path.join(folder, "model_index.json"), JSON.stringify(golden.index));
    mkdirSync(path.join(folder, "scheduler"));
    writeFileSync(path.join(folder, "scheduler", "scheduler_config.json"), JSON.stringify(golden.scheduler));
    for (const [part, source] of Object.entries(golden.tokenizers)) {
      cpSync(path.join(EMBEDDED, source), path.join(folder, part), { recursive: true });
    }
    for (const [part, source] of parts) cpSync(source, path.join(folder, part), { recursive: true });
  });
}

/** What openPair is given for a recorded pair: a distilled model as a pipeline, as a folder with unet/, or as a file alone. */
export function pairReference({ base, distilled, decoder }: z.output<typeof pairSchema>): PairReference {
  return {
    base: checkpointFolder(base),
    ...(distilled && { distilled: distilledPath(distilled) }),
    ...(decoder && { decoder: componentFolder(decoder) }),
  };
}

function distilledPath(distilled: NonNullable<z.output<typeof pairSchema>["distilled"]>): string {
  if ("checkpoint" in distilled) return checkpointFolder(distilled.checkpoint);
  const golden = componentGolden(distilled.component);
  const source = componentFolder(distilled.component);
  if (distilled.as === "file") {
    const ending = golden.weights.storage === "bin" ? "bin" : "safetensors";
    return path.join(source, `${stemOf(golden)}.${ending}`);
  }
  const name = distilled.as === "transformer" ? "transformer" : "unet";
  return kept({ [name]: source }, (folder) => cpSync(source, path.join(folder, name), { recursive: true }));
}

/** A request as goldens tell it. */
export const requestSchema = z.strictObject({
  mode: z.enum(["base", "distilled", "hybrid"]).exactOptional(),
  prompts: z.array(z.string()),
  seeds: z.array(z.number()),
  size: z.object({ width: z.number(), height: z.number() }).exactOptional(),
  steps: z.number().exactOptional(),
  timesteps: z.array(z.number()).exactOptional(),
  guidance: z.number().exactOptional(),
  trueGuidance: z.number().exactOptional(),
  guidanceRescale: z.number().exactOptional(),
  guidanceNormalization: z.number().exactOptional(),
  guidanceTruncation: z.number().exactOptional(),
  baseGuidance: z.number().exactOptional(),
  baseScheduler: z.string().exactOptional(),
  baseSteps: z.number().exactOptional(),
  negative: z.string().exactOptional(),
  textTokens: z.number().exactOptional(),
  clipSkip: z.number().exactOptional(),
  scheduler: z.string().exactOptional(),
  sigmas: z.enum(["karras", "exponential", "beta", "sgm_uniform", "simple", "normal", "ddim_uniform"]).exactOptional(),
  spacing: z.enum(["leading", "trailing", "linspace"]).exactOptional(),
  eta: z.number().exactOptional(),
  switch: z.union([z.number(), z.array(z.number())]).exactOptional(),
  skip: z.number().exactOptional(),
  handoff: z.enum(["schedule", "ddim", "lcm"]).exactOptional(),
  prediction: z.enum(["epsilon", "v_prediction", "sample"]).exactOptional(),
  ratio: z.object({ base: z.number(), distilled: z.number() }).exactOptional(),
  baseSpacing: z.enum(["leading", "trailing", "linspace"]).exactOptional(),
  diversity: z.array(diversitySchema).exactOptional(),
  adapters: z
    .array(
      z.object({
        ref: z.string(),
        scale: z.number().exactOptional(),
        on: z.enum(["base", "distilled"]).exactOptional(),
      }),
    )
    .exactOptional(),
});
