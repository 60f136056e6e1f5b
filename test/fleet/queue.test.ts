import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { type Batch, consume, type Lease, openQueue, type WorkerNote, type WorkQueue } from "../../src/fleet/index.js";
import { temporaryFolder } from "../support/folder.js";
import { NO_REDIS, startRedis } from "../support/redis.js";

const LEASE = 800;
let numbered = 0;
const batchOf = (more: Partial<Batch> = {}): Batch => ({
  name: `batch-${numbered++}`,
  content: "x",
  size: 3,
  lease: LEASE,
  attempts: 3,
  backoff: 20,
  since: new Date().toISOString(),
  host: "here",
  cancelled: false,
  job: { any: ["thing"] },
  ...more,
});

const worker: WorkerNote = {
  ...{ id: "w1", host: "here", process: 1, machine: "cpu", batch: "b", doing: "row", tasks: 2, images: 8, rate: 1.5 },
};

/** Takes a task, which must be there. */
async function taken(queue: WorkQueue, batch: Batch): Promise<Lease> {
  const lease = await queue.take(batch);
  if (!lease) throw new Error("there was no task");
  return lease;
}

/** Takes a task as soon as one is ready. */
async function takenSoon(queue: WorkQueue, batch: Batch, within: number): Promise<Lease> {
  const end = Date.now() + within;
  for (;;) {
    const lease = await queue.take(batch);
    if (lease) return lease;
    if (Date.now() > end) throw new Error(`no task within ${within} ms`);
    await sleep(10);
  }
}

const opened: WorkQueue[] = [];
afterAll(() => Promise.all(opened.map((queue) => queue.close())));
async function open(address: string): Promise<WorkQueue> {
  const queue = await openQueue(address);
  opened.push(queue);
  return queue;
}

const KINDS: readonly (readonly [string, string | null, () => Promise<string>])[] = [
  ["in a folder", null, async () => temporaryFolder()],
  ["on Redis", NO_REDIS, async () => (await startRedis()).url],
];

describe.each(KINDS)("a queue %s", (_, missing, start) => {
  const address = missing === null ? start() : Promise.resolve("");
  const both = async () => [await open(await address), await open(await address)] as const;

  it.skipIf(missing)("gives each task to one process, in the order of adding", async () => {
    const [a, b] = await both();
    const batch = batchOf();
    await a.add(batch, ["c", "a", "b"]);
    const leases = [await taken(a, batch), await taken(b, batch), await taken(a, batch)];
    expect(leases.map((l) => [l.id, l.failures])).toEqual([
      ["c", 0],
      ["a", 0],
      ["b", 0],
    ]);
    expect(await b.take(batch)).toBeNull();
    expect(await b.counts(batch.name)).toEqual({ waiting: 0, delayed: 0, running: 3, failed: 0 });
    for (const lease of leases) expect(await lease.done()).toBe(true);
    expect(await a.counts(batch.name)).toEqual({ waiting: 0, delayed: 0, running: 0, failed: 0 });
  });

  it.skipIf(missing)("has a task once, however often it is added", async () => {
    const [a, b] = await both();
    const batch = batchOf();
    await a.add(batch, ["a", "b"]);
    const lease = await taken(a, batch);
    await b.add(batch, ["a", "b", "c"]);
    expect(await a.counts(batch.name)).toEqual({ waiting: 2, delayed: 0, running: 1, failed: 0 });
    await lease.done();
    expect([(await taken(b, batch)).id, (await taken(b, batch)).id, await b.take(batch)]).toEqual(["b", "c", null]);
  });

  it.skipIf(missing)("tells every process of its batches, oldest first", async () => {
    const [a, b] = await both();
    const [old, young] = [batchOf({ since: "2001-01-01" }), batchOf({ since: "2001-01-02" })];
    await a.add(young, []);
    await a.add(old, []);
    const names = [old.name, young.name];
    expect((await b.batches()).filter(({ name }) => names.includes(name))).toEqual([old, young]);
    await b.remove(old.name);
    expect((await a.batches()).filter(({ name }) => names.includes(name))).toEqual([young]);
  });

  it.skipIf(missing)(
    "gives the task of a process that died to another within the lease, and counts it as a failure",
    async () => {
      const [a, b] = await both();
      const batch = batchOf();
      await a.add(batch, ["a"]);
      // A queue that is watched from the start, as by other workers.
      expect(await b.take(batch)).not.toBeNull();
      const start = Date.now();
      const lease = await takenSoon(a, batch, 2 * LEASE);
      expect(Date.now() - start).toBeLessThanOrEqual(LEASE + 200);
      expect(Date.now() - start).toBeGreaterThan(LEASE / 4);
      expect(lease.failures).toBe(1);
    },
  );

  it.skipIf(missing)("keeps a task with the process that renews it; one that lost it can change nothing", async () => {
    const [a, b] = await both();
    const batch = batchOf();
    await a.add(batch, ["a"]);
    const lease = await taken(a, batch);
    const start = Date.now();
    while (Date.now() - start < 1.5 * LEASE) {
      expect(await lease.renew()).toBe(true);
      expect(await b.take(batch)).toBeNull();
      await sleep(LEASE / 8);
    }
    const other = await takenSoon(b, batch, 2 * LEASE);
    expect(await lease.renew()).toBe(false);
    expect(await lease.done()).toBe(false);
    await lease.fail("late");
    await lease.giveBack();
    expect(await b.counts(batch.name)).toEqual({ waiting: 0, delayed: 0, running: 1, failed: 0 });
    expect(await other.done()).toBe(true);
  });

  it.skipIf(missing)(
    "tries a failed task again after a while that doubles, and sets it aside after the third time",
    async () => {
      const [a, b] = await both();
      const batch = batchOf({ backoff: 1500, lease: 20_000 });
      await a.add(batch, ["bad", "good"]);
      await (await taken(a, batch)).fail("first");
      expect(await a.counts(batch.name)).toEqual({ waiting: 1, delayed: 1, running: 0, failed: 0 });
      expect((await taken(b, batch)).id).toBe("good");
      expect(await b.take(batch)).toBeNull();
      let start = Date.now();
      const second = await takenSoon(b, batch, 10_000);
      expect([second.id, second.failures]).toEqual(["bad", 1]);
      await second.fail("second");
      start = Date.now();
      const third = await takenSoon(a, batch, 10_000);
      expect(Date.now() - start).toBeGreaterThanOrEqual(1500);
      await third.fail("third: the reason");
      expect(await b.failed(batch.name)).toEqual([{ id: "bad", reason: "third: the reason" }]);
      expect((await b.counts(batch.name)).failed).toBe(1);
      expect(await b.take(batch)).toBeNull();

      expect(await b.retry(batch.name)).toBe(1);
      const again = await taken(a, batch);
      expect([again.id, again.failures]).toEqual(["bad", 0]);
      expect(await b.failed(batch.name)).toEqual([]);
    },
  );

  it.skipIf(missing)("takes names of digits alone, which hashes have at times", async () => {
    const [a, b] = await both();
    const batch = batchOf();
    await a.add(batch, ["1234567890123456"]);
    const lease = await taken(b, batch);
    expect(lease.id).toBe("1234567890123456");
    await lease.fail("once");
    expect((await b.counts(batch.name)).delayed).toBe(1);
  });

  it.skipIf(missing)("sets aside a task whose processes died three times", async () => {
    const [a] = await both();
    const batch = batchOf({ lease: 200 });
    await a.add(batch, ["killer"]);
    for (const failures of [0, 1, 2]) expect((await takenSoon(a, batch, 1000)).failures).toBe(failures);
    const end = Date.now() + 1000;
    while ((await a.counts(batch.name)).failed === 0 && Date.now() < end) {
      expect(await a.take(batch)).toBeNull();
      await sleep(20);
    }
    expect(await a.failed(batch.name)).toEqual([{ id: "killer", reason: expect.stringContaining("worker died") }]);
  });

  it.skipIf(missing)("takes a task back without a failure", async () => {
    const [a, b] = await both();
    const batch = batchOf();
    await a.add(batch, ["a"]);
    await (await taken(a, batch)).giveBack();
    expect((await taken(b, batch)).failures).toBe(0);
  });

  it.skipIf(missing)("drops a cancelled batch; a running task learns of it when it renews its lease", async () => {
    const [a, b] = await both();
    const batch = batchOf();
    await a.add(batch, ["a", "b"]);
    const lease = await taken(a, batch);
    await b.cancel(batch.name);
    expect(await lease.renew()).toBe(false);
    expect(await a.take(batch)).toBeNull();
    expect(await b.counts(batch.name)).toEqual({ waiting: 0, delayed: 0, running: 0, failed: 0 });
    expect((await a.batches()).find(({ name }) => name === batch.name)?.cancelled).toBe(true);
    // It can be started again.
    await b.remove(batch.name);
    await b.add(batch, ["a", "b"]);
    expect((await taken(b, batch)).id).toBe("a");
  });

  it.skipIf(missing)("lists workers until they are silent for a lease", async () => {
    const [a, b] = await both();
    await a.announce(worker, 150);
    expect(await b.workers()).toEqual([worker]);
    await sleep(200);
    expect(await b.workers()).toEqual([]);
  });

  describe("under the loop of a worker", () => {
    it.skipIf(missing)("has every task done once by several", async () => {
      const [a, b] = await both();
      const batch = batchOf();
      const ids = Array.from({ length: 20 }, (_, i) => `t${i}`);
      await a.add(batch, ids);
      const kept: string[] = [];
      const tasks = {
        make: async (id: string) => `${id}!`,
        keep: async (_: string, result: string) => void kept.push(result),
      };
      const counts = await Promise.all([consume(a, batch, tasks, {}), consume(b, batch, tasks, {})]);
      expect(counts[0] + counts[1]).toBe(20);
      expect(new Set(kept)).toEqual(new Set(ids.map((id) => `${id}!`)));
      expect(kept).toHaveLength(20);
    });

    it.skipIf(missing)("stops a task whose lease is lost, and does not fail it", async () => {
      const [a, b] = await both();
      const batch = batchOf({ lease: 300 });
      await a.add(batch, ["a"]);
      const messages: string[] = [];
      let stopped = false;
      const make = async (_: string, signal: AbortSignal) => {
        await b.cancel(batch.name);
        await sleep(5000, undefined, { signal }).catch(() => {
          stopped = true;
        });
        signal.throwIfAborted();
      };
      const count = await consume(a, batch, { make, keep: async () => {} }, { onMessage: (m) => messages.push(m) });
      expect([count, stopped]).toEqual([0, true]);
      expect(messages).toEqual(["cell a was given to another worker, or cancelled"]);
    });

    it.skipIf(missing)(
      "renews the lease of a task that takes longer, and gives it back when the worker is stopped",
      async () => {
        const [a, b] = await both();
        const batch = batchOf({ lease: 1000 });
        await a.add(batch, ["a"]);
        const stop = new AbortController();
        const run = consume(
          a,
          batch,
          { make: (_, signal) => sleep(20_000, undefined, { signal }), keep: async () => {} },
          { signal: stop.signal },
        );
        const end = Date.now() + 2500;
        while (Date.now() < end) {
          await sleep(20);
          expect(await b.take(batch)).toBeNull();
        }
        stop.abort(new Error("enough"));
        await expect(run).rejects.toThrow("enough");
        expect((await taken(b, batch)).failures).toBe(0);
      },
    );

    it.skipIf(missing)("gives a task back whose result cannot be kept, and ends the worker", async () => {
      const [a, b] = await both();
      const batch = batchOf();
      await a.add(batch, ["a"]);
      const keep = async () => {
        throw new Error("the disk is full");
      };
      await expect(consume(a, batch, { make: async () => 1, keep }, {})).rejects.toThrow("the disk is full");
      expect((await taken(b, batch)).failures).toBe(0);
    });
  });
});
