/**
 * The queue on Redis, for many machines: one BullMQ queue for each batch. BullMQ keeps the states, locks and delays of tasks; a hash beside
 * them has the batches, and keys that expire have the workers. A task is fetched by hand, so that both queues run under the same loop.
 */
import { randomUUID } from "node:crypto";
import type { Job, Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { codeOf, MachineError, RequestError, reasonOf } from "../errors.js";
import { parseJson } from "../files/index.js";
import { type RedisAddress, showAddress } from "./address.js";
import { optional } from "./optional.js";
import {
  type Batch,
  backoffOf,
  batchSchema,
  DIED,
  type Lease,
  timesOf,
  type WorkerNote,
  type WorkQueue,
  workerSchema,
} from "./queue.js";

/** First part of the names of all keys. An ACL user needs `~variegate:*`. */
const PREFIX = "variegate";
const BATCHES = `${PREFIX}:batches`;
const WORKERS = `${PREFIX}:workers`;
/** Number of tasks added in one call. */
const CHUNK = 5_000;
/** Milliseconds without an answer after which a connection is made anew. */
const SILENT = 10_000;

const load = () =>
  optional("--queue redis://…", ["bullmq", "ioredis"], async () => {
    const [bullmq, { Redis }] = await Promise.all([import("bullmq"), import("ioredis")]);
    return { bullmq, Redis };
  });
type Packages = Awaited<ReturnType<typeof load>>;

export interface QueueOptions {
  /** Called with messages for the user, such as that the connection was lost. */
  readonly onMessage?: (text: string) => void;
}

/** Connects to Redis. @throws MachineError if there is none; RequestError if it refuses the user or password */
export async function redisQueue(address: RedisAddress, { onMessage }: QueueOptions = {}): Promise<WorkQueue> {
  const packages = await load();
  const shown = showAddress(address);
  const client = await connect(packages, address, shown);
  let [lost, closing] = [false, false];
  client.on("close", () => {
    if (!lost && !closing) onMessage?.(`the connection to ${shown} was lost; trying again`);
    lost = true;
  });
  client.on("ready", () => {
    if (lost) onMessage?.(`connected to ${shown} again`);
    lost = false;
  });
  // Each failed attempt to connect; "close" has said so.
  client.on("error", () => {});
  const queue = queueOn(packages, client, shown);
  return {
    ...queue,
    close() {
      closing = true;
      return queue.close();
    },
  };
}

async function connect({ Redis }: Packages, address: RedisAddress, shown: string): Promise<Redis> {
  const { host, port, database, username, password, tls } = address;
  let connected = false;
  const client = new Redis({
    host,
    port,
    db: database,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: { servername: host } }),
    lazyConnect: true,
    maxRetriesPerRequest: null,
    connectTimeout: 5_000,
    keepAlive: 10_000,
    socketTimeout: SILENT,
    // The first connection is tried once: a wrong address should not wait for ever.
    retryStrategy: (times) => (connected ? Math.min(100 * 2 ** times, 5_000) : null),
  });
  let last: unknown;
  client.on("error", (error: unknown) => {
    last = error;
  });
  try {
    await client.connect();
    await client.ping();
    connected = true;
    client.removeAllListeners("error");
    return client;
  } catch (error) {
    client.disconnect();
    throw refusal(last ?? error, address, shown);
  }
}

/** Why a connection failed, in one line without the password. */
function refusal(error: unknown, { username, password }: RedisAddress, shown: string): Error {
  const reason = reasonOf(error);
  if (/WRONGPASS|NOAUTH|NOPERM|invalid password|AUTH/.test(reason)) {
    const given = password === undefined ? "no password was given" : `user ${username ?? "default"}`;
    return new RequestError(
      `--queue ${shown} refuses the connection (${given}): ${reason}; give user and password in the URL of VARIEGATE_QUEUE, or in VARIEGATE_REDIS_USERNAME and VARIEGATE_REDIS_PASSWORD`,
      { cause: error },
    );
  }
  const code = codeOf(error);
  return new MachineError(
    `--queue ${shown} cannot be reached (${code || reason}); is Redis running there, and is ${shown.startsWith("rediss") ? "TLS its" : "redis:// or rediss:// its"} protocol?`,
    { cause: error },
  );
}

function queueOn({ bullmq }: Packages, client: Redis, shown: string): WorkQueue {
  /** Fetches tasks without BullMQ's own loop, over the one connection. */
  class Taker extends bullmq.Worker {
    protected override createBackend(): void {
      this.backend = this.backendFactory(this.name, this.opts, { blocking: false });
    }
  }
  const queues = new Map<string, Queue>();
  const takers = new Map<string, Worker>();
  const common = { connection: client, prefix: PREFIX };
  const ignore = () => {};

  function queue(name: string): Queue {
    const known = queues.get(name);
    if (known) return known;
    const made = new bullmq.Queue(name, { ...common, streams: { events: { maxLen: 100 } } });
    made.on("error", ignore);
    queues.set(name, made);
    return made;
  }

  async function taker(batch: Batch): Promise<Worker> {
    const known = takers.get(batch.name);
    if (known) return known;
    const { expire, check } = timesOf(batch);
    const made = new Taker(batch.name, null, {
      ...common,
      autorun: false,
      lockDuration: expire,
      stalledInterval: check,
      // Deaths are counted with the other failures, when the task is taken.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    });
    made.on("error", ignore);
    takers.set(batch.name, made);
    await made.startStalledCheckTimer();
    return made;
  }

  const write = (batch: Batch) => client.hset(BATCHES, batch.name, JSON.stringify(batch));

  async function batches(): Promise<Batch[]> {
    const found = Object.values(await client.hgetall(BATCHES)).flatMap((text) => {
      const batch = batchSchema.safeParse(parseJson(text));
      return batch.success ? [batch.data] : [];
    });
    return found.sort((a, b) => (a.since < b.since ? -1 : 1));
  }

  return {
    address: shown,

    async add(batch, ids) {
      await write(batch);
      const opts = { attempts: batch.attempts, removeOnComplete: true };
      for (let at = 0; at < ids.length; at += CHUNK) {
        const jobs = ids
          .slice(at, at + CHUNK)
          .map((id) => ({ name: "t", data: {}, opts: { ...opts, jobId: jobOf(id) } }));
        await queue(batch.name).addBulk(jobs);
      }
    },

    batches,

    async take(batch) {
      const worker = await taker(batch);
      for (;;) {
        const token = randomUUID();
        const job = await worker.getNextJob(token, { block: false });
        if (!job) return null;
        const failures = job.attemptsMade + job.stalledCounter;
        if (failures < batch.attempts) return leaseOf(batch, job, token, failures);
        await job.moveToFailed(new bullmq.UnrecoverableError(job.failedReason || DIED), token);
      }
    },

    async counts(name) {
      const {
        waiting = 0,
        prioritized = 0,
        paused = 0,
        delayed = 0,
        active = 0,
        failed = 0,
      } = await queue(name).getJobCounts();
      return { waiting: waiting + prioritized + paused, delayed, running: active, failed };
    },

    async failed(name) {
      const jobs = await queue(name).getFailed();
      return jobs.map((job) => ({ id: taskOf(job), reason: job.failedReason || DIED }));
    },

    async retry(name) {
      const jobs = await queue(name).getFailed();
      const [batch] = (await batches()).filter((b) => b.name === name);
      for (const job of jobs) await job.remove();
      if (batch) await this.add(batch, jobs.map(taskOf));
      return jobs.length;
    },

    async cancel(name) {
      for (const batch of (await batches()).filter((b) => b.name === name)) await write({ ...batch, cancelled: true });
      await queue(name).obliterate({ force: true });
    },

    async remove(name) {
      await queue(name).obliterate({ force: true });
      await client.hdel(BATCHES, name);
    },

    async announce(worker, lease) {
      await client.sadd(WORKERS, worker.id);
      await client.set(`${WORKERS}:${worker.id}`, JSON.stringify(worker), "PX", lease);
    },

    async workers() {
      const ids = await client.smembers(WORKERS);
      if (ids.length === 0) return [];
      const notes = await client.mget(ids.map((id) => `${WORKERS}:${id}`));
      const gone = ids.filter((_, i) => notes[i] === null);
      if (gone.length > 0) await client.srem(WORKERS, ...gone);
      return notes.flatMap((text): WorkerNote[] => {
        const note = workerSchema.safeParse(parseJson(text ?? ""));
        return note.success ? [note.data] : [];
      });
    },

    async close() {
      await Promise.all([...takers.values(), ...queues.values()].map((each) => each.close().catch(ignore)));
      client.disconnect();
    },
  };
}

/** A job's id begins with a letter, because BullMQ refuses those of digits alone, which one hash in two thousand has. */
const MARK = "t";
const jobOf = (task: string): string => `${MARK}${task}`;
const taskOf = ({ id = "" }: Job): string => id.slice(MARK.length);

function leaseOf(batch: Batch, job: Job, token: string, failures: number): Lease {
  const { expire } = timesOf(batch);
  /** False where Redis says that the task is not this lease's; other errors are thrown. */
  const unlessLost = async (change: () => Promise<unknown>): Promise<boolean> => {
    try {
      await change();
      return true;
    } catch (error) {
      if (/lock|Missing key|not in the active state/i.test(reasonOf(error))) return false;
      throw error;
    }
  };
  return {
    id: taskOf(job),
    failures,
    renew: async () => (await job.extendLock(token, expire)) === 1,
    done: () => unlessLost(() => job.moveToCompleted(null, token, false)),
    async fail(reason) {
      job.opts.backoff = { type: "fixed", delay: backoffOf(batch, failures + 1) };
      const isLast = failures + 1 >= batch.attempts;
      const error = new Error(reason);
      if (isLast) error.name = "UnrecoverableError";
      // Its stack is a line of this file, and would be kept in Redis.
      error.stack = "";
      await unlessLost(() => job.moveToFailed(error, token));
    },
    async giveBack() {
      await unlessLost(() => job.moveToWait(token));
    },
  };
}
