import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { openQueue, type WorkerNote, type WorkQueue } from "../../src/fleet/index.js";
import { float } from "../../src/tensor/index.js";
import { NEAR_HOST, NO_NETNS, namespaceTo, proxyTo } from "../support/cut.js";
import { cellsIn, definitionOf, storedIn, tablesIn, until, variegate } from "../support/fleet.js";
import { temporaryFolder } from "../support/folder.js";
import { NO_REDIS, type RedisServer, startRedis } from "../support/redis.js";
import { NO_S3, startS3 } from "../support/s3.js";

const root = temporaryFolder();
const folder = (name: string) => path.join(root, name);
const CELLS = 6;

function written(name: string, value: unknown): string {
  const file = folder(`${name}.json`);
  writeFileSync(file, JSON.stringify(value));
  return file;
}
/** Each cell takes a while, so that a process can be caught in the middle of one. */
const file = written("shared", definitionOf("shared", CELLS, 40));

/** Ids of workers that are generating now. */
const working = async (queue: WorkQueue): Promise<WorkerNote[]> =>
  (await queue.workers()).filter((w) => w.doing.startsWith("row-"));

const queues: WorkQueue[] = [];
afterAll(() => Promise.all(queues.map((queue) => queue.close())));
async function open(url: string): Promise<WorkQueue> {
  const queue = await openQueue(url);
  queues.push(queue);
  return queue;
}

const worker = (url: string, store: string, more: readonly string[] = []) => [
  ...["worker", "--queue", url, "--store", store, "--threads", "1", ...more],
];
const experiment = (definition: string, url: string, store: string, out: string, more: readonly string[] = []) => [
  ...["experiment", "run", definition, "--queue", url, "--store", store, "--out", out, "--threads", "1"],
  ...["--as", path.basename(out), "--lease", "1.5", "--backoff", "0.2", ...more],
];

/** Expects a run that equals that of one process, with each cell once. */
function expectWhole(out: string, store: string | null): void {
  expect(tablesIn(out)).toBe(tablesIn(folder("one")));
  for (const cells of [cellsIn(out), store === null ? cellsIn(out) : storedIn(store)]) {
    expect(cells).toHaveLength(CELLS);
    expect(new Set(cells)).toEqual(new Set(cellsIn(folder("one"))));
  }
}

describe.skipIf(NO_REDIS)("a fleet", { timeout: 240_000 }, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
    const one = variegate(["experiment", "run", file, "--out", folder("one"), "--threads", "1", "--quiet"]);
    expect(await one.ended).toBe(0);
    expect(new Set(cellsIn(folder("one"))).size).toBe(CELLS);
  }, 240_000);

  it("loses nothing and does nothing twice when workers die or sleep, Redis restarts, and cells are delivered again", async () => {
    const [store, out] = [folder("faults-store"), folder("faults")];
    const queue = await open(redis.url);
    const workers = [0, 1, 2].map(() => variegate(worker(redis.url, store)));
    await until(async () => (await queue.workers()).length === 3, "three workers");
    const run = variegate(experiment(file, redis.url, store, out));
    const processOf = (id: number | undefined) => workers.find((w) => w.child.pid === id);

    await until(async () => (await working(queue)).length === 3, "three workers at work");
    const [first, second] = await working(queue);
    processOf(first?.process)?.child.kill("SIGKILL");
    processOf(second?.process)?.child.kill("SIGSTOP");
    await sleep(300);
    await redis.restart();
    // Past the lease: its cell is another worker's.
    await sleep(1600);
    processOf(second?.process)?.child.kill("SIGCONT");

    // A cell that is finished is delivered again.
    await until(() => storedIn(store).length > 0, "a finished cell");
    const [batch] = await queue.batches();
    if (!batch) throw new Error("there is no batch");
    await queue.add(batch, storedIn(store));

    expect(await run.ended, run.output()).toBe(0);
    expectWhole(out, store);
    expect(await queue.batches()).toEqual([]);
    expect((await processOf(first?.process)?.ended) ?? null).toBeNull();
    for (const { child } of workers) child.kill("SIGTERM");
    const codes = await Promise.all(workers.map((w) => w.ended));
    expect(codes.filter((code) => code === 130)).toHaveLength(2);
  });

  const cuts: readonly (readonly [string, string | null])[] = [
    ["in a network namespace", NO_NETNS],
    ["behind a proxy", null],
  ];
  it.each(cuts)("goes on after the network to Redis was cut longer than the lease, %s", async (where, missing) => {
    if (missing !== null) {
      process.stderr.write(`${missing}: the network is cut by a proxy only\n`);
      return;
    }
    const isProxy = where === "behind a proxy";
    const [store, out] = [folder(`cut-${isProxy}`), folder(`cut-out-${isProxy}`)];
    const namespace = isProxy ? null : namespaceTo();
    const server = namespace ? await startRedis(["--protected-mode", "no"], NEAR_HOST) : redis;
    const network = namespace ? { ...namespace, url: server.url } : await proxyTo(redis.port);
    const queue = await open(server.url);
    const run = variegate(experiment(file, server.url, store, out));
    const far = variegate(worker(network.url, store), { under: network.under });
    await until(async () => (await working(queue)).length === 1, "a worker at work");
    network.cut();
    const near = variegate(worker(server.url, store));
    await sleep(2500);
    network.mend();
    expect(await run.ended, run.output() + far.output() + near.output()).toBe(0);
    expectWhole(out, store);
    for (const { child } of [far, near]) child.kill("SIGKILL");
  });

  it("sets a poisoned cell aside with its error, and does the rest", async () => {
    const adapter = folder("poison.safetensors");
    const down = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight";
    writeFileSync(adapter, safetensors({ [down]: float([1, 4], Float32Array.of(Number.NaN, 0, 0, 0)) }));
    const definition = definitionOf("poisoned", 3, 4);
    const rows = definition.rows.map((row, i) => (i === 1 ? { ...row, adapter: { ref: adapter, scale: 1 } } : row));
    const [store, out] = [folder("poison-store"), folder("poison")];
    const run = variegate(experiment(written("poisoned", { ...definition, rows }), redis.url, store, out));
    const own = variegate(worker(redis.url, store));
    expect(await run.ended, run.output()).toBe(4);
    expect(run.output()).toMatch(
      /1 of 3 cells failed 3 times and were set aside, the first with: .*poison\.safetensors/,
    );
    expect(storedIn(store)).toHaveLength(2);
    expect(own.output().match(/failed \(\d of 3\)/g)).toEqual([
      "failed (1 of 3)",
      "failed (2 of 3)",
      "failed (3 of 3)",
    ]);

    const command = async (...args: string[]) => {
      const program = variegate(["experiment", ...args, "--queue", redis.url]);
      expect(await program.ended).toBe(0);
      return program.output();
    };
    const status = await command("status", "poison");
    expect(status).toContain("poison: 2 of 3 cells done · 1 failed · 0 running · 0 waiting");
    expect(status).toMatch(/failed cell \w{16}: .*poison\.safetensors/);
    expect(await command("retry", "poison")).toContain("1 failed cells will be tried again");
    const queue = await open(redis.url);
    await until(async () => (await queue.counts("poison")).failed === 1, "the cell failed again");
    expect(await command("cancel", "poison")).toContain("poison is cancelled");
    expect(await command("status")).toContain("poison: cancelled");
    await queue.remove("poison");
    own.child.kill("SIGKILL");
  });

  it("can be stopped and started at will, with several processes a worker", async () => {
    const [store, out] = [folder("stopped-store"), folder("stopped")];
    const queue = await open(redis.url);
    const run = variegate(experiment(file, redis.url, store, out));
    const first = variegate(worker(redis.url, store, ["--concurrency", "2"]));
    await until(async () => (await working(queue)).length === 2, "two processes at work");
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(130);
    first.child.kill("SIGTERM");
    expect(await first.ended).toBe(130);
    // Given back at once, and without a failure.
    const { running, failed, delayed } = await queue.counts("stopped");
    expect({ running, failed, delayed }).toEqual({ running: 0, failed: 0, delayed: 0 });

    const again = variegate(experiment(file, redis.url, store, out, ["--resume"]));
    const second = variegate(worker(redis.url, store, ["--until-done"]));
    expect(await again.ended, again.output()).toBe(0);
    expectWhole(out, store);
    expect(await second.ended).toBe(0);
  });

  it.skipIf(NO_S3)("keeps results and images on S3", async () => {
    const { env } = await startS3("bucket");
    const out = folder("s3");
    const run = variegate(experiment(file, redis.url, "s3://bucket/run", out, ["--save-images"]), { env });
    const own = variegate(worker(redis.url, "s3://bucket/run"), { env });
    expect(await run.ended, run.output() + own.output()).toBe(0);
    expectWhole(out, null);
    own.child.kill("SIGKILL");
  });

  it("works from a folder queue as well", async () => {
    const [queue, store, out] = [folder("queue"), folder("folder-store"), folder("folder")];
    mkdirSync(queue);
    const run = variegate(experiment(file, queue, store, out));
    const workers = [0, 1].map(() => variegate(worker(queue, store)));
    await until(async () => (await working(await open(queue))).length === 2, "two workers at work");
    workers[0]?.child.kill("SIGKILL");
    expect(await run.ended, run.output()).toBe(0);
    expectWhole(out, store);
    workers[1]?.child.kill("SIGKILL");
  });
});
