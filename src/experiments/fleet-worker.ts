/** A worker of a fleet: takes cells of the experiments on a queue, and adds their results to a store. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RequestError, reasonOf } from "../errors.js";
import { type Batch, consume, openQueue, type Tasks, type WorkerNote, type WorkQueue } from "../fleet/index.js";
import { counted } from "../tensor/index.js";
import { checkRows, checkStore, jobOf, programOf } from "./batch.js";
import type { Cell } from "./cell.js";
import { placeOf } from "./machine.js";
import { type ModelCache, type ModelRequest, openModelCache } from "./models.js";
import type { FleetWorkerOptions, FleetWorkerRequest } from "./request.js";
import { openResultStore, type ResultStore } from "./results.js";
import { type CellSamples, generateCell } from "./samples.js";
import { samplesFile, saveImages, threadsOf, uniqueCells, worksOf } from "./work.js";
import { runInProcesses, type WorkerMessage } from "./workers.js";

const IDLE = 500;
/** Milliseconds for which a note of a worker is valid, and between two. */
const [VALID, SAY] = [6_000, 1_500];
/** Milliseconds for which the reason is shown why a worker refused to work. */
const REFUSED = 60_000;

/** An experiment that this worker is ready for. */
interface Ready {
  readonly content: string;
  readonly cells: ReadonlyMap<string, Cell>;
  readonly withImages: boolean;
}

/**
 * Works until it is stopped, or with `untilDone` until the queue is empty.
 * @throws RequestError if this worker differs from an experiment in models, version or settings; FileError if the store cannot be written;
 * `signal.reason` when aborted, after giving its cell back
 */
export async function workOnFleet(request: FleetWorkerRequest, o: FleetWorkerOptions = {}): Promise<void> {
  const store = await openResultStore(request.store);
  try {
    const queue = await openQueue(request.queue, o.onMessage ? { onMessage: o.onMessage } : {});
    const worker = createWorker(queue, store, request, o);
    try {
      await worker.run();
    } finally {
      await worker.close();
      await queue.close();
    }
  } finally {
    await store.close();
  }
}

/** Milliseconds for which a worker that ends with the queue waits for a first experiment. */
const PATIENCE = 60_000;
/** Milliseconds that processes have to give their cells back. */
const GRACE = 20_000;

/** Works in this process, or in several. @throws as workOnFleet; MachineError when one of several fails */
export async function work(request: FleetWorkerRequest, o: FleetWorkerOptions = {}): Promise<void> {
  if (request.concurrency === 1) return workOnFleet(request, o);
  const onMessage = (m: WorkerMessage) => m.type === "note" && o.onMessage?.(m.text);
  await runInProcesses(
    { type: "fleet", request },
    { workers: request.concurrency, onMessage, grace: GRACE, signal: o.signal },
  );
}

function createWorker(queue: WorkQueue, store: ResultStore, request: FleetWorkerRequest, o: FleetWorkerOptions) {
  const threads = request.models.threads ?? threadsOf(request.concurrency);
  const place = placeOf(request.models.device ?? "cpu", threads);
  const id = `${place.host}-${process.pid}-${randomBytes(2).toString("hex")}`;
  let note: WorkerNote = {
    ...{ id, host: place.host, process: process.pid, machine: place.machine },
    ...{ batch: null, doing: "idle", tasks: 0, images: 0, rate: 0 },
  };
  const ready = new Map<string, Ready>();
  let opened: { readonly key: string; readonly cache: ModelCache } | null = null;
  let busy = 0;

  const say = (more: Partial<WorkerNote>, valid = VALID) => {
    note = { ...note, ...more };
    return queue.announce(note, valid);
  };
  const timer = setInterval(() => say({}).catch(() => {}), SAY);

  async function cacheFor(models: ModelRequest): Promise<ModelCache> {
    const key = JSON.stringify(models);
    if (opened?.key === key) return opened.cache;
    await opened?.cache.close();
    opened = { key, cache: openModelCache({ ...models, ...request.models, threads }, o) };
    return opened.cache;
  }

  /** Checks once that this worker has what an experiment needs. */
  async function prepare(batch: Batch): Promise<Ready> {
    const known = ready.get(batch.name);
    if (known?.content === batch.content) return known;
    await say({ batch: batch.name, doing: "opening models" });
    const job = jobOf(batch);
    checkStore(batch.name, job, store);
    const works = await worksOf(job.definitions, await cacheFor(job.models));
    checkRows(batch.name, job, works);
    const cells = new Map(uniqueCells(works).map((c) => [c.id, c]));
    const made = { content: batch.content, cells, withImages: job.saveImages };
    ready.set(batch.name, made);
    return made;
  }

  /** Number of workers that share this host now. */
  async function sharing(): Promise<number> {
    const others = (await queue.workers()).filter((w) => w.host === place.host && w.id !== id);
    return 1 + others.length;
  }

  function tasksOf(batch: Batch, { cells, withImages }: Ready, cache: ModelCache): Tasks<CellSamples | null> {
    return {
      async make(cellId, signal) {
        const cell = cells.get(cellId);
        if (!cell) throw new RequestError(`cell ${cellId} is not one of experiment ${batch.name}`);
        // Delivered again after its result was stored.
        if (await store.has(cellId)) return null;
        await say({ batch: batch.name, doing: cell.row.name });
        const before = await sharing();
        const start = performance.now();
        const made = await generateCell(await cache.modelsOf(cell.row), cell, { workers: before, place, signal });
        busy += (performance.now() - start) / 1000;
        const workers = Math.max(before, await sharing());
        return { ...made, result: { ...made.result, workers } };
      },
      async keep(cellId, made) {
        if (!made) return;
        const { result, images } = made;
        if (withImages) await saveImages(cellId, images, store.keep);
        await store.keep(`samples/${cellId}.json`, await samplesFile(images));
        if (!(await store.add(result))) {
          o.onMessage?.(`cell ${cellId} has a result already, which stays`);
          return;
        }
        const done = note.images + result.pictures.length;
        await say({ tasks: note.tasks + 1, images: done, rate: done / busy });
        o.onMessage?.(
          `cell ${cellId} of ${batch.name}: ${counted(result.pictures.length, "image")}, ${(result.milliseconds / 1000).toFixed(1)} s`,
        );
      },
    };
  }

  async function workOn(batch: Batch): Promise<number> {
    try {
      const own = await prepare(batch);
      const cache = await cacheFor(jobOf(batch).models);
      await say({ batch: batch.name, doing: "waiting for a cell" });
      return await consume(queue, batch, tasksOf(batch, own, cache), { signal: o.signal, onMessage: o.onMessage });
    } catch (error) {
      if (!o.signal?.aborted)
        await say({ batch: batch.name, doing: `ended: ${reasonOf(error)}` }, REFUSED).catch(() => {});
      throw error;
    }
  }

  return {
    async run(): Promise<void> {
      // Before the first cell: a store that cannot be written is found now.
      const since = new Date().toISOString();
      await store.keep(`workers/${id}.json`, Buffer.from(JSON.stringify({ ...place, program: programOf(), since })));
      o.onMessage?.(`worker ${id} on ${queue.address}: ${place.machine}; results in ${store.address}`);
      const started = Date.now();
      let seen = false;
      for (;;) {
        o.signal?.throwIfAborted();
        let [open, done] = [0, 0];
        for (const batch of (await queue.batches()).filter((b) => !b.cancelled)) {
          const { waiting, delayed, running } = await queue.counts(batch.name);
          open += waiting + delayed + running;
          if (waiting + delayed + running > 0) done += await workOn(batch);
        }
        if (open > 0) seen = true;
        if (open === 0 && request.untilDone && (seen || Date.now() - started > PATIENCE)) return;
        if (done > 0) continue;
        await say({ doing: "idle", ...(open === 0 && { batch: null }) });
        await sleep(IDLE, undefined, o.signal ? { signal: o.signal } : {}).catch(() => {});
      }
    },
    async close(): Promise<void> {
      clearInterval(timer);
      await opened?.cache.close();
    },
  };
}
