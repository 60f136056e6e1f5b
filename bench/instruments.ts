/** Times the networks that measure images, DINO's ViT-B/16 and Inception-v3, with random weights: ONNX Runtime beside bfloat16 on OpenVINO. */
import path from "node:path";
import { openWeights } from "../src/checkpoint/node/index.js";
import { MachineError } from "../src/errors.js";
import { createDino, createInception } from "../src/instruments/index.js";
import { type DrawingWeights, drawInception, vitConfigOf } from "../src/models/index.js";
import { type Compute, mustCompute } from "../src/networks/index.js";
import type { Device, Runtime } from "../src/runtime/index.js";
import { openRuntime } from "../src/runtime/node/index.js";
import { createRng, type RgbImage, type WeightIndex } from "../src/tensor/index.js";
import { middle, type Report } from "./figures.js";
import { inFolder, planned, writeRandom } from "./random-weights.js";

const WIDTH = 768;
const layer = (name: string, outputs: number, inputs: number) =>
  [
    [`${name}.weight`, [outputs, inputs]],
    [`${name}.bias`, [outputs]],
  ] as const;
const norm = (name: string) => ["weight", "bias"].map((part) => [`${name}.${part}`, [WIDTH]] as const);
/** Tensors of ViT-B/16 as DINO's release names them. */
const VIT: readonly (readonly [string, readonly number[]])[] = [
  ["cls_token", [1, 1, WIDTH]],
  ["pos_embed", [1, 197, WIDTH]],
  ["patch_embed.proj.weight", [WIDTH, 3, 16, 16]],
  ["patch_embed.proj.bias", [WIDTH]],
  ...Array.from({ length: 12 }, (_, i) => `blocks.${i}`).flatMap((block) => [
    ...[...norm(`${block}.norm1`), ...layer(`${block}.attn.qkv`, 3 * WIDTH, WIDTH)],
    ...[...layer(`${block}.attn.proj`, WIDTH, WIDTH), ...norm(`${block}.norm2`)],
    ...[...layer(`${block}.mlp.fc1`, 4 * WIDTH, WIDTH), ...layer(`${block}.mlp.fc2`, WIDTH, 4 * WIDTH)],
  ]),
  ...norm("norm"),
];
const IMAGES = 16;
const ROUNDS = 3;
const TYPES = [
  ["cpu", "float32"],
  ["openvino", "float32"],
  ["openvino", "bfloat16"],
] as const satisfies readonly (readonly [Device, Compute])[];

type Reads = (images: readonly RgbImage[]) => Promise<unknown>;
const NETWORKS = {
  "DINO, ViT-B/16": {
    // Its graph is drawn by the shapes in the file.
    draw: (index: DrawingWeights) => VIT.map(([name, shape]) => index.synthesise?.(name, shape)),
    open: (index: WeightIndex, runtime: Runtime, compute: Compute): Reads =>
      createDino({ index, hashes: [] }, vitConfigOf(index), "ViT-B/16", runtime, { compute }).features,
  },
  "Inception-v3": {
    draw: (index: DrawingWeights) => drawInception(index),
    open: (index: WeightIndex, runtime: Runtime, compute: Compute): Reads =>
      createInception({ index, hashes: [] }, runtime, "tensorflow", { compute }).read,
  },
};

/** Random images of 256 × 256 pixels. */
function randomImages(): RgbImage[] {
  const rng = createRng(5);
  return Array.from({ length: IMAGES }, () => ({
    ...{ width: 256, height: 256 },
    data: Uint8Array.from(rng.randn([256 * 256 * 3]).data, (v) => 128 + 40 * v),
  }));
}

/** Reports the time of an image, preparation included, and ratios to ONNX Runtime's. */
export const timeInstruments = (report: Report, threads: number): Promise<void> =>
  inFolder("instruments", async (folder, remove) => {
    const images = randomImages();
    for (const [title, { draw, open }] of Object.entries(NETWORKS)) {
      const file = path.join(folder, `${title.slice(0, 4)}.safetensors`);
      await writeRandom(await planned(file, "float32", draw));
      const index = await openWeights(file);
      let exact: number | undefined;
      for (const [device, compute] of TYPES) {
        const name = `${title}, ${compute}${device === "cpu" ? "" : ` on ${device}`}`;
        const runtime = openRuntime({ device, threads });
        try {
          mustCompute(compute, device);
          const read = open(index, runtime, compute);
          await read(images);
          const times = [];
          for (let i = 0; i < ROUNDS; i++) {
            const start = performance.now();
            await read(images);
            times.push((performance.now() - start) / IMAGES);
          }
          const { median, note } = middle(times);
          exact ??= median;
          report({ name: `${name}: an image`, value: median, unit: "ms", note });
          if (median !== exact) report({ name: `${name} / float32`, value: median / exact, unit: "ratio" });
        } catch (error) {
          if (!(error instanceof MachineError)) throw error;
          process.stderr.write(`${name} is left out: ${error.message}\n`);
        } finally {
          await runtime.close();
        }
      }
    }
    await remove();
  });
