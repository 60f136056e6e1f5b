/** Runs experiments on the workers of a queue: adds the missing cells, follows them, and fetches their results. */
import { setTimeout as sleep } from "node:timers/promises";
import { MachineError, RequestError } from "../errors.js";
import { type Batch, type FailedTask, openQueue, type WorkQueue } from "../fleet/index.js";
import { counted } from "../tensor/index.js";
import { batchOf } from "./batch.js";
import type { Cell } from "./cell.js";
import type { ExperimentRequest, FleetRequest, FleetState, RunOptions } from "./request.js";
import { openResultStore, type ResultStore } from "./results.js";
import { cellStore, readResults } from "./store.js";
import { uniqueCells, type Work } from "./work.js";

const SETTINGS = { lease: 60_000, attempts: 3, backoff: 5_000, saveImages: false } as const;
const POLL = 500;
/** Milliseconds without a worker after which the user is told how to start one. */
const LONELY = 5_000;
const AT_ONCE = 8;

async function stateOf(queue: WorkQueue, { name, cancelled, size }: Batch): Promise<FleetState> {
  const { waiting, delayed, running, failed } = await queue.counts(name);
  const workers = (await queue.workers()).filter((w) => w.batch === name);
  const total = (of: "rate" | "images" | "tasks") => workers.reduce((sum, w) => sum + w[of], 0);
  const open = waiting + delayed + running;
  const [rate, perCell] = [total("rate"), total("images") / total("tasks")];
  return {
    ...{ name, cancelled, cells: size, done: cancelled ? 0 : size - open - failed },
    ...{ failed, running, waiting: waiting + delayed, delayed, workers, rate },
    left: rate > 0 ? (open * perCell) / rate : null,
  };
}

/** Progress of every experiment on a queue. */
export async function statesOf(queue: WorkQueue): Promise<FleetState[]> {
  const states = [];
  for (const batch of await queue.batches()) states.push(await stateOf(queue, batch));
  return states;
}

/** Generates the missing cells on the workers of a queue, and appends their results to the run's folder. */
export async function generateOnFleet(
  request: ExperimentRequest,
  fleet: FleetRequest,
  works: readonly Work[],
  o: RunOptions,
): Promise<void> {
  const store = await openResultStore(fleet.store);
  try {
    const queue = await openQueue(fleet.queue, o.onMessage ? { onMessage: o.onMessage } : {});
    try {
      await generateOn(queue, store, request, fleet, works, o);
    } finally {
      await queue.close();
    }
  } finally {
    await store.close();
  }
}

async function generateOn(
  queue: WorkQueue,
  store: ResultStore,
  request: ExperimentRequest,
  { queue: _queue, store: _store, ...given }: FleetRequest,
  works: readonly Work[],
  o: RunOptions,
): Promise<void> {
  const cells = uniqueCells(works);
  const name = works.length === 1 ? (works[0]?.definition.name ?? "experiment") : "all";
  const batch = batchOf(request, works, store, { name, ...SETTINGS, ...given });
  const { cells: here } = await readResults(request.out, new Set(cells.map((c) => c.id)));
  const left = cells.filter((c) => !here.has(c.id));
  const stored = await store.finished();
  const missing = left.filter((c) => !stored.has(c.id)).map((c) => c.id);
  await addTo(queue, batch, missing);
  o.onMessage?.(
    `experiment ${batch.name} on ${queue.address}: ${cells.length - missing.length} of ${counted(cells.length, "cell")} finished; results in ${store.address}`,
  );
  await follow(queue, batch, missing, store, o);
  await fetchResults(store, left, request.out, o.signal);
  await queue.remove(batch.name);
}

/** @throws RequestError if the queue has another experiment of this name */
async function addTo(queue: WorkQueue, batch: Batch, missing: readonly string[]): Promise<void> {
  const other = (await queue.batches()).find((b) => b.name === batch.name);
  if (other && other.content !== batch.content && !other.cancelled) {
    throw new RequestError(
      `${queue.address} already has an experiment ${batch.name} with other cells (${other.content}, from ${other.host} since ${other.since}; this one is ${batch.content}); \`variegate experiment cancel ${batch.name}\` removes it, --as NAME gives this one another name`,
    );
  }
  if (other?.cancelled) await queue.remove(batch.name);
  await queue.add(batch, missing);
}

/** Waits until the queue has no cell left to do, and all results are stored. */
async function follow(
  queue: WorkQueue,
  batch: Batch,
  missing: readonly string[],
  store: ResultStore,
  o: RunOptions,
): Promise<void> {
  let lastWorker = Date.now();
  for (;;) {
    o.signal?.throwIfAborted();
    const known = (await queue.batches()).find((b) => b.name === batch.name);
    if (known?.cancelled) throw new RequestError(`experiment ${batch.name} was cancelled; --resume starts it again`);
    const state = await stateOf(queue, known ?? batch);
    o.onFleet?.(state);
    if (state.workers.length > 0) lastWorker = Date.now();
    else if (state.waiting > 0 && Date.now() - lastWorker > LONELY) {
      o.onMessage?.(`no worker is connected: variegate worker --queue ${queue.address} --store ${store.address}`);
    }
    if (state.waiting + state.running === 0) {
      const stored = await store.finished();
      const failed = await queue.failed(batch.name);
      const lost = lostCells(missing, stored, failed);
      if (lost.length === 0 && failed.length > 0) throw failure(batch, failed);
      if (lost.length === 0) return;
      // A server without persistence was restarted.
      o.onMessage?.(`${queue.address} lost ${counted(lost.length, "cell")}; they are added again`);
      await queue.add(batch, lost);
    }
    await sleep(POLL, undefined, o.signal ? { signal: o.signal } : {}).catch(() => {});
  }
}

function lostCells(missing: readonly string[], stored: ReadonlySet<string>, failed: readonly FailedTask[]): string[] {
  const known = new Set(failed.map((f) => f.id));
  return missing.filter((id) => !stored.has(id) && !known.has(id));
}

function failure({ name, attempts, size }: Batch, failed: readonly FailedTask[]): MachineError {
  const [first] = failed;
  return new MachineError(
    `${failed.length} of ${counted(size, "cell")} failed ${attempts} times and were set aside, the first with: ${first?.reason ?? "no reason"} (cell ${first?.id}); \`variegate experiment retry ${name}\` tries again, then --resume makes the report`,
  );
}

/** Appends the results of cells to the run's folder, each once. */
async function fetchResults(
  store: ResultStore,
  cells: readonly Cell[],
  out: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const own = cellStore(out);
  for (let at = 0; at < cells.length; at += AT_ONCE) {
    signal?.throwIfAborted();
    const some = cells.slice(at, at + AT_ONCE);
    const fetched = await Promise.all(
      some.map(async ({ id }) => ({
        result: await store.read(id),
        samples: await store.file(`samples/${id}.json`),
      })),
    );
    for (const { result, samples } of fetched) {
      if (samples) await own.keep(`${result.cell}.json`, samples);
      await own.append(result);
    }
  }
}
