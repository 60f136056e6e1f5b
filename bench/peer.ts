/** One engine of this project in a process of its own, for `bench --peers`: FOLDER DEVICE COMPUTE SIZE THREADS. Prints what it measured as JSON. */
import { readFileSync } from "node:fs";
import { deriveInFile } from "../src/checkpoint/node/index.js";
import type { Graph } from "../src/graph/index.js";
import { type Compute, encodedFor, prepareWeights } from "../src/networks/index.js";
import type { Device } from "../src/runtime/index.js";
import { openRuntime } from "../src/runtime/node/index.js";
import { feedsFor } from "./networks.js";
import type { PeerTimes } from "./peers.js";
import { openSyntheticParts } from "./synthetic.js";

const STEPS = 4;

const [folder = "", device = "cpu", type = "float32", size = "512", threads = "1"] = process.argv.slice(2);
const compute = type as Compute;
const runtime = openRuntime({ device: device as Device, threads: Number(threads) });
const { unet, decoder } = await openSyntheticParts(folder, Number(size));

/** Loads a network; its calls take milliseconds. The first call, which some engines compile in, counts as loading. */
async function loaded(name: string, graph: Graph, own: Compute) {
  const start = performance.now();
  const ready = await prepareWeights(name, graph, graph, { compute: own, derive: deriveInFile });
  const session = await runtime.load(await encodedFor(runtime.device, ready, own));
  const feeds = feedsFor(graph, 1);
  await session.run(feeds);
  return { call: async () => (await session.run(feeds)).milliseconds, load: performance.now() - start };
}

const denoiser = await loaded("SDXL", unet, compute);
const own = await loaded("decoder", decoder, compute === "int8" ? "float32" : compute);
const steps = [];
for (let i = 0; i < STEPS; i++) steps.push(await denoiser.call());
const times: PeerTimes = {
  load: denoiser.load + own.load,
  steps,
  decode: await own.call(),
  peak: peak(),
};
process.stdout.write(`${JSON.stringify(times)}\n`);
await runtime.close();

/** Peak resident memory of this process and its children in bytes, where the system tells it. */
function peak(): number | null {
  try {
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ").filter(Boolean);
    const of = (pid: string) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
    return 1024 * ["self", ...children].reduce((n, pid) => n + of(pid), 0);
  } catch {
    return null;
  }
}
