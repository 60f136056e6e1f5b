/**
 * Measures one device, for `device.ts`, which starts this file in a process for each: images of the embedded pair, and steps of an SDXL-sized
 * UNet. Prints one JSON object per line as soon as it is measured, so that a crash loses nothing that was.
 */
import { spawnSync } from "node:child_process";
import os from "node:os";
import { z } from "zod";
import { VariegateError } from "../src/errors.js";
import { generate } from "../src/generate/index.js";
import { floatingPointOperations } from "../src/graph/index.js";
import { drawUNet } from "../src/models/index.js";
import { sessionOf } from "../src/networks/index.js";
import { openPair } from "../src/open/index.js";
import { DEVICES, type Device } from "../src/runtime/index.js";
import { openRuntime } from "../src/runtime/node/index.js";
import { middle } from "./figures.js";
import { feedsFor } from "./networks.js";
import { openUNet } from "./synthetic.js";

const compute = z.enum(["float32", "float16", "bfloat16"]);

/** What one line reports. */
export const measuredSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("images"),
    compute,
    /** Pixels of each image, in base64. */
    images: z.array(z.string()),
    /** Time of an image, without loading. */
    milliseconds: z.number(),
  }),
  z.object({
    kind: z.literal("step"),
    compute,
    milliseconds: z.number(),
    /** Floating-point operations of a step. */
    operations: z.number(),
    /** Memory that the weights and steps took, in bytes: of the graphics card if nvidia-smi lists one, else of the process; null if unknown. */
    memory: z.number().nullable(),
  }),
  z.object({ kind: z.literal("failed"), part: z.enum(["images", "step"]), compute, why: z.string() }),
]);
export type Measured = z.infer<typeof measuredSchema>;

/** What `device.ts` asks for, as the only argument. */
export const taskSchema = z.object({
  device: z.enum(DEVICES),
  computes: z.array(compute),
  /** Folder of the SDXL-sized UNet; null to leave it out. */
  sdxl: z.string().nullable(),
  /** Milliseconds in which no further step begins. */
  patience: z.number(),
});
type Task = z.infer<typeof taskSchema>;

type FloatCompute = Task["computes"][number];

const print = (measured: Measured) => process.stdout.write(`${JSON.stringify(measured)}\n`);

/** Not square, so that a device which swaps height and width shows. */
export const REQUEST = {
  mode: "hybrid",
  prompts: ["a red cartoon character wearing a crown"],
  seeds: [0, 1],
  size: { width: 64, height: 48 },
} as const;

const threads = os.availableParallelism();

/** Prints images and the time of one, twice: the first round loads the models, and compiles kernels where a device does. */
async function measureImages(device: Device, asked: FloatCompute): Promise<void> {
  await using pair = await openPair({ compute: asked }, { device, threads });
  for (let round = 0; round < 2; round++) {
    const images: string[] = [];
    for await (const event of generate(pair, REQUEST)) {
      if (event.type === "image") images.push(Buffer.from(event.image.data).toString("base64"));
      if (event.type !== "done") continue;
      const milliseconds = (event.milliseconds.denoise + event.milliseconds.decode) / event.images;
      print({ kind: "images", compute: asked, images, milliseconds });
    }
  }
}

/** Bytes in use on all NVIDIA cards; null without one. */
function cardMemory(): number | null {
  const { status, stdout } = spawnSync("nvidia-smi", ["--query-gpu=memory.used", "--format=csv,noheader,nounits"], {
    encoding: "utf8",
  });
  return status === 0
    ? stdout
        .trim()
        .split("\n")
        .reduce((sum, line) => sum + Number(line) * 2 ** 20, 0)
    : null;
}

async function measureStep({ device, sdxl, patience }: Task, asked: FloatCompute) {
  const { config, index } = await openUNet(sdxl ?? "");
  const graph = drawUNet(config, index, { height: 64, width: 64, tokens: 77 });
  const feeds = feedsFor(graph, 1);
  const before = cardMemory();
  const runtime = openRuntime({ device, threads });
  try {
    const { session } = await sessionOf("SDXL", runtime, graph, { compute: asked });
    const times: number[] = [];
    const start = performance.now();
    // The first call is slower where kernels are compiled or pages are read.
    while (times.length < 2 || (times.length < 12 && performance.now() - start < patience)) {
      times.push((await session.run(feeds)).milliseconds);
    }
    const used = cardMemory();
    const own = device === "cpu" ? process.resourceUsage().maxRSS * 1024 : null;
    return {
      milliseconds: middle(times.slice(1)).median,
      operations: floatingPointOperations(graph, 1),
      memory: device === "cpu" || used === null || before === null ? own : used - before,
    };
  } finally {
    await runtime.close();
  }
}

async function measure(task: Task): Promise<void> {
  const attempt = async (part: "images" | "step", asked: FloatCompute, work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof VariegateError)) throw error;
      print({ kind: "failed", part, compute: asked, why: error.problem });
    }
  };
  for (const asked of task.computes) await attempt("images", asked, () => measureImages(task.device, asked));
  if (task.sdxl === null) return;
  // A step is timed in the smallest type that the device computes in.
  const smallest = task.computes.at(-1) ?? "float32";
  await attempt("step", smallest, async () =>
    print({ kind: "step", compute: smallest, ...(await measureStep(task, smallest)) }),
  );
}

const [argument] = process.argv.slice(2);
if (argument?.startsWith("{")) await measure(taskSchema.parse(JSON.parse(argument)));
