/**
 * Measures what the queue of a fleet holds and costs, with a Redis server of its own (redis-server must be installed):
 *
 *     node scripts/fleet.js [--workers 1000] [--processes 4] [--cells 20000] [--only queue|memory|overhead]
 *
 * queue: cells per second that simulated workers without models take and finish, each with a connection of its own. memory: Redis
 * memory of waiting cells, for a million. overhead: time outside the generation of cells, as a share of it, for the embedded pair in a folder and on Redis.
 * Prints a JSON object a line.
 */
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, cpus, tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { cellsOf, parseDefinition, promptSeeds } from "../dist/experiments/index.js";
import { openModels, originOf } from "../dist/experiments/models.js";
import { openResultStore } from "../dist/experiments/results.js";
import { generateCell } from "../dist/experiments/samples.js";
import { samplesFile } from "../dist/experiments/work.js";
import { consume, openQueue } from "../dist/fleet/index.js";

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    workers: { type: "string", default: "1000" },
    processes: { type: "string", default: "4" },
    cells: { type: "string", default: "20000" },
    only: { type: "string" },
  },
});
const wanted = (name) => values.only === undefined || values.only === name;
const print = (name, value, unit, more = {}) =>
  process.stdout.write(`${JSON.stringify({ name, value, unit, ...more })}\n`);
const batchOf = (name, size) => ({
  ...{ name, size, content: "simulated", lease: 60_000, attempts: 3, backoff: 5_000 },
  ...{ since: new Date().toISOString(), host: "here", cancelled: false, job: null },
});
/** Ids as long as those of real cells. */
const idsOf = (count) => Array.from({ length: count }, (_, i) => i.toString(16).padStart(16, "0"));

/** A process of simulated workers: says when they are connected, and takes cells when it is told to. */
async function simulate({ url, name, size, workers }) {
  const queues = [];
  for (let i = 0; i < workers; i++) queues.push(await openQueue(url));
  process.send("ready");
  await once(process, "message");
  const tasks = { make: async () => null, keep: async () => {} };
  await Promise.all(queues.map((queue) => consume(queue, batchOf(name, size), tasks, {})));
  process.send("done");
  await Promise.all(queues.map((queue) => queue.close()));
  process.exit(0);
}

async function startRedis(dir) {
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address();
  free.close();
  const words = ["--port", String(port), "--dir", dir, "--save", "", "--appendonly", "yes", "--bind", "127.0.0.1"];
  const server = spawn("redis-server", words, { stdio: "ignore" });
  const client = new Redis({ port, maxRetriesPerRequest: null });
  await client.ping();
  return { url: `redis://127.0.0.1:${port}`, client, server };
}

async function measureQueue({ url }) {
  const [count, processes, size] = [values.workers, values.processes, values.cells].map(Number);
  const queue = await openQueue(url);
  const start = performance.now();
  await queue.add(batchOf("simulated", size), idsOf(size));
  print("fleet/cells added", Math.round(size / ((performance.now() - start) / 1000)), "cells/s");
  const job = { url, name: "simulated", size, workers: Math.ceil(count / processes) };
  const children = Array.from({ length: processes }, () => fork(fileURLToPath(import.meta.url), ["simulate"]));
  const said = (word) =>
    Promise.all(
      children.map(
        (child) => new Promise((resolve) => child.on("message", (message) => message === word && resolve())),
      ),
    );
  const ready = said("ready");
  for (const child of children) child.send(job);
  await ready;
  const done = said("done");
  const begin = performance.now();
  for (const child of children) child.send("go");
  await done;
  const seconds = (performance.now() - begin) / 1000;
  const facts = { workers: count, processes, cells: size, cores: availableParallelism(), processor: cpus()[0]?.model };
  print("fleet/cells taken and done", Math.round(size / seconds), "cells/s", facts);
  await queue.remove("simulated");
  await queue.close();
}

async function measureMemory({ url, client }) {
  const used = async () => Number(/used_memory:(\d+)/.exec(await client.info("memory"))[1]);
  const queue = await openQueue(url);
  const before = await used();
  const size = Number(values.cells);
  await queue.add(batchOf("waiting", size), idsOf(size));
  const bytes = ((await used()) - before) / size;
  print("fleet/Redis memory of a million cells", Math.round(bytes), "MB", { cells: size });
  await queue.close();
}

async function measureOverhead({ url }, dir) {
  const sampling = { mode: "hybrid", switch: 1 };
  const rows = [1, 2, 3, 4].map((i) => ({ name: `row-${i}`, sampling: { ...sampling, baseGuidance: i } }));
  const prompts = ["a cartoon character", "a red cartoon character"];
  const definition = parseDefinition("overhead", {
    ...{ name: "overhead", title: "Overhead", prompts, seeds: 32, rows, measures: ["distance"] },
  });
  const models = await openModels({});
  const origins = new Map();
  for (const row of definition.rows) origins.set(row.name, await originOf(models, row, definition));
  const cells = new Map(cellsOf(definition, promptSeeds(definition), origins).map((cell) => [cell.id, cell]));
  const place = { host: "here", machine: "cpu" };
  for (const [where, address] of [
    ["a folder", path.join(dir, "queue")],
    ["Redis", url],
  ]) {
    const queue = await openQueue(address);
    const store = await openResultStore(path.join(dir, `store-${where}`));
    const batch = batchOf("overhead", cells.size);
    let [inside, images] = [0, 0];
    const start = performance.now();
    await queue.add(batch, [...cells.keys()]);
    await consume(
      queue,
      batch,
      {
        async make(id, signal) {
          if (await store.has(id)) return null;
          const begin = performance.now();
          const made = await generateCell(models, cells.get(id), { workers: 1, place, signal });
          inside += performance.now() - begin;
          images += made.result.pictures.length;
          return made;
        },
        async keep(id, { result, images: all }) {
          await store.keep(`samples/${id}.json`, await samplesFile(all));
          await store.add(result);
        },
      },
      {},
    );
    const all = performance.now() - start;
    const facts = { cells: cells.size, images, "cells/h": Math.round(cells.size / (all / 3.6e6)) };
    print(`fleet/overhead of ${where}`, Number(((100 * (all - inside)) / inside).toFixed(2)), "%", facts);
    await queue.close();
  }
  await models.pair.close();
}

if (process.argv[2] === "simulate") {
  const [job] = await once(process, "message");
  await simulate(job);
} else {
  const dir = mkdtempSync(path.join(tmpdir(), "variegate-fleet-"));
  const redis = await startRedis(dir);
  try {
    if (wanted("overhead")) await measureOverhead(redis, dir);
    if (wanted("queue")) await measureQueue(redis);
    if (wanted("memory")) await measureMemory(redis);
  } finally {
    redis.client.disconnect();
    redis.server.kill("SIGKILL");
    await once(redis.server, "exit");
    await sleep(100);
    rmSync(dir, { recursive: true, force: true });
  }
}
