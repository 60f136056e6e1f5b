/**
 * The queue in a folder, for processes of one machine. The state of a task is the name of a file, so that each change is one rename,
 * which succeeds for one process only:
 *
 *     BATCH/waiting/000012.0.0.ID     place in the order, failures, earliest time
 *     BATCH/running/000012.0.TOKEN.ID renewed by its time of change
 *     BATCH/failed/000012.3.ID        reasons in reasons/ID
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { codeOf } from "../errors.js";
import { explained, makeFolder, parseJson, writeWhole } from "../files/index.js";
import {
  type Batch,
  backoffOf,
  batchSchema,
  type Counts,
  DIED,
  type FailedTask,
  type Lease,
  timesOf,
  type WorkQueue,
  workerSchema,
} from "./queue.js";

const ADVICE = "choose another --queue";
const STATES = ["waiting", "running", "failed", "reasons"] as const;
type State = (typeof STATES)[number];

/** A task as the name of its file says it. `extra`: earliest time of a waiting one, token of a running one. */
interface Named {
  readonly place: string;
  readonly failures: number;
  readonly extra: string;
  readonly id: string;
}
const nameOf = ({ place, failures, extra, id }: Named): string => `${place}.${failures}.${extra}.${id}`;

function named(file: string): Named[] {
  const [place, failures, extra, ...id] = file.split(".");
  return place && failures && extra !== undefined && id.length > 0
    ? [{ place, failures: Number(failures), extra, id: id.join(".") }]
    : [];
}

/** Names of files of a folder in order; empty where there is none. */
const listed = async (folder: string): Promise<string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => !name.startsWith(".")).sort();

/** Renames a file; false where another process was faster, or the folder is gone. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw explained(error, from, "cannot be renamed", ADVICE);
  }
}

/** Opens the queue in a folder. The folder is made with the first batch. */
export function folderQueue(folder: string): WorkQueue {
  const noteOf = (name: string) => path.join(folder, name, "batch.json");
  const at = (name: string, state: State, file = "") => path.join(folder, name, state, file);
  /** Times of the last search for tasks whose process died, by batch. */
  const searched = new Map<string, number>();
  /** Waiting tasks at the last look, by batch: most of them are still there. */
  const ready = new Map<string, string[]>();

  async function readBatch(name: string): Promise<Batch[]> {
    const text = await readFile(noteOf(name), "utf8").catch(() => "");
    const batch = batchSchema.safeParse(parseJson(text));
    return batch.success ? [batch.data] : [];
  }

  /** Makes a failed task wait, or sets it aside. `from`: its file. */
  async function failedOnce(batch: Batch, from: string, task: Named, reason: string): Promise<void> {
    const failures = task.failures + 1;
    const isLast = failures >= batch.attempts;
    const extra = isLast ? "0" : String(Date.now() + backoffOf(batch, failures));
    const to = nameOf({ ...task, failures, extra });
    if (isLast) await writeFile(at(batch.name, "reasons", task.id), reason).catch(() => {});
    await moved(from, at(batch.name, isLast ? "failed" : "waiting", to));
  }

  async function takeFromDead(batch: Batch): Promise<void> {
    const { check, expire } = timesOf(batch);
    if (Date.now() - (searched.get(batch.name) ?? 0) < check) return;
    searched.set(batch.name, Date.now());
    for (const name of await listed(at(batch.name, "running"))) {
      const file = at(batch.name, "running", name);
      const { mtimeMs } = (await stat(file).catch(() => null)) ?? { mtimeMs: Number.POSITIVE_INFINITY };
      if (Date.now() - mtimeMs < expire) continue;
      for (const task of named(name)) await failedOnce(batch, file, task, DIED);
    }
  }

  function leaseOf(batch: Batch, task: Named): Lease {
    const file = at(batch.name, "running", nameOf(task));
    const touch = () => utimes(file, new Date(), new Date());
    return {
      id: task.id,
      failures: task.failures,
      async renew() {
        return touch().then(
          () => true,
          () => false,
        );
      },
      async done() {
        return rm(file).then(
          () => true,
          () => false,
        );
      },
      fail: (reason) => failedOnce(batch, file, task, reason),
      async giveBack() {
        await moved(file, at(batch.name, "waiting", nameOf({ ...task, extra: "0" })));
      },
    };
  }

  /** Takes the first of some waiting tasks that is ready, and removes those before it from the list. */
  async function takeOf(batch: Batch, names: string[]): Promise<Lease | null> {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      for (const task of named(name)) {
        if (Number(task.extra) > Date.now()) continue;
        const waiting = at(batch.name, "waiting", name);
        // Before the rename: the lease counts from this time.
        await utimes(waiting, new Date(), new Date()).catch(() => {});
        const running = { ...task, extra: randomBytes(4).toString("hex") };
        if (await moved(waiting, at(batch.name, "running", nameOf(running)))) return leaseOf(batch, running);
      }
    }
    return null;
  }

  return {
    address: folder,

    async add(batch, ids) {
      for (const state of STATES) await makeFolder(at(batch.name, state), ADVICE);
      const known = new Set<string>();
      for (const state of STATES)
        for (const name of await listed(at(batch.name, state))) for (const t of named(name)) known.add(t.id);
      const first = known.size;
      for (const [i, id] of ids.filter((each) => !known.has(each)).entries()) {
        const task = { place: String(first + i).padStart(8, "0"), failures: 0, extra: "0", id };
        await writeFile(at(batch.name, "waiting", nameOf(task)), "").catch((error: unknown) => {
          throw explained(error, at(batch.name, "waiting"), "cannot be written", ADVICE);
        });
      }
      await writeWhole(noteOf(batch.name), Buffer.from(JSON.stringify(batch)), ADVICE);
    },

    async batches() {
      const found = await Promise.all((await listed(folder)).map(readBatch));
      return found.flat().sort((a, b) => (a.since < b.since ? -1 : 1));
    },

    async take(batch) {
      await takeFromDead(batch);
      // Most tasks of the last look are still there: a folder of many is listed once.
      const lease = await takeOf(batch, ready.get(batch.name) ?? []);
      if (lease) return lease;
      const names = await listed(at(batch.name, "waiting"));
      ready.set(batch.name, names);
      return takeOf(batch, names);
    },

    async counts(name): Promise<Counts> {
      const tasks = (await listed(at(name, "waiting"))).flatMap(named);
      const delayed = tasks.filter((t) => Number(t.extra) > Date.now()).length;
      const running = (await listed(at(name, "running"))).length;
      const failed = (await listed(at(name, "failed"))).length;
      return { waiting: tasks.length - delayed, delayed, running, failed };
    },

    async failed(name): Promise<FailedTask[]> {
      const tasks = (await listed(at(name, "failed"))).flatMap(named);
      const reason = (id: string) => readFile(at(name, "reasons", id), "utf8").catch(() => DIED);
      return Promise.all(tasks.map(async ({ id }) => ({ id, reason: await reason(id) })));
    },

    async retry(name) {
      let count = 0;
      for (const file of await listed(at(name, "failed"))) {
        for (const task of named(file)) {
          const again = at(name, "waiting", nameOf({ ...task, failures: 0, extra: "0" }));
          if (await moved(at(name, "failed", file), again)) count++;
        }
      }
      return count;
    },

    async cancel(name) {
      for (const batch of await readBatch(name)) {
        await writeWhole(noteOf(name), Buffer.from(JSON.stringify({ ...batch, cancelled: true })), ADVICE);
      }
      for (const state of STATES) await rm(at(name, state), { recursive: true, force: true });
    },

    remove: (name) => rm(path.join(folder, name), { recursive: true, force: true }),

    async announce(worker, lease) {
      const workers = path.join(folder, ".workers");
      if (!existsSync(workers)) await makeFolder(workers, ADVICE);
      const note = { until: Date.now() + lease, worker };
      await writeWhole(path.join(workers, worker.id), Buffer.from(JSON.stringify(note)), ADVICE);
    },

    async workers() {
      const workers = path.join(folder, ".workers");
      const notes = await Promise.all(
        (await listed(workers)).map(async (id) => {
          const text = await readFile(path.join(workers, id), "utf8").catch(() => "");
          const note = announced.safeParse(parseJson(text));
          return note.success && note.data.until > Date.now() ? [note.data.worker] : [];
        }),
      );
      return notes.flat();
    },

    close: async () => {},
  };
}

const announced = z.object({ until: z.number(), worker: workerSchema });
