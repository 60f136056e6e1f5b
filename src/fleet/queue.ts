/** A queue of tasks that several processes take, each under a lease. Knows nothing of what a task is. */
import { z } from "zod";

/** Several tasks that one process adds together and waits for. */
export const batchSchema = z.object({
  name: z.string().regex(/^[\w-]+$/),
  /** Hash of everything that determines the tasks: two batches of one name are the same only if it is equal. */
  content: z.string(),
  /** Number of tasks, those that were finished before the batch was added included. */
  size: z.int().min(0),
  /** Milliseconds within which a task of a process that died is given to another. */
  lease: z.int().min(100),
  /** Number of failures after which a task is set aside. */
  attempts: z.int().min(1),
  /** Milliseconds until a failed task is tried again; doubled at each further failure. */
  backoff: z.int().min(0),
  /** ISO 8601. */
  since: z.string(),
  /** Host of the process that added it. */
  host: z.string(),
  cancelled: z.boolean().default(false),
  /** What a worker needs to know to do the tasks, as JSON. */
  job: z.unknown(),
});
export type Batch = z.output<typeof batchSchema>;

/** Number of tasks in each state. Finished tasks are not counted: their results say so. */
export interface Counts {
  readonly waiting: number;
  /** Failed, and waiting to be tried again. */
  readonly delayed: number;
  readonly running: number;
  /** Failed `attempts` times. */
  readonly failed: number;
}

/** A task that was set aside. */
export interface FailedTask {
  readonly id: string;
  readonly reason: string;
}

/** What a worker says about itself. It is forgotten when it was not said again within `lease`. */
export const workerSchema = z.object({
  id: z.string(),
  host: z.string(),
  process: z.number(),
  /** Device and processor that times belong to, such as "cpu, 8 threads of AMD EPYC 7B13". */
  machine: z.string(),
  batch: z.string().nullable(),
  /** What it does now, in words. */
  doing: z.string(),
  /** Tasks and images since it started, and images per second while it worked. */
  tasks: z.number(),
  images: z.number(),
  rate: z.number(),
});
export type WorkerNote = z.output<typeof workerSchema>;

/** A task that this process has for the time of a lease. */
export interface Lease {
  readonly id: string;
  /** Failures before, those of processes that died included. */
  readonly failures: number;
  /** Extends the lease. False when it was lost: the task was given to another process, or its batch was cancelled. */
  renew(): Promise<boolean>;
  /** Removes the finished task from the queue. False when the lease was lost. */
  done(): Promise<boolean>;
  /** Gives the task back as failed: it is tried again after a while, or set aside. */
  fail(reason: string): Promise<void>;
  /** Gives the task back without counting a failure. */
  giveBack(): Promise<void>;
}

export interface WorkQueue {
  /** Its address, without credentials. */
  readonly address: string;
  /** Adds tasks in order. A task that is in the queue stays as it is. Replaces an earlier batch of the name only if that is gone. */
  add(batch: Batch, ids: readonly string[]): Promise<void>;
  batches(): Promise<Batch[]>;
  /** Takes the next task of a batch; null if none is ready. */
  take(batch: Batch): Promise<Lease | null>;
  counts(name: string): Promise<Counts>;
  failed(name: string): Promise<FailedTask[]>;
  /** Puts tasks that were set aside back, with no failures. Resolves to their number. */
  retry(name: string): Promise<number>;
  /** Removes the tasks of a batch. Running ones are stopped when they renew their lease. */
  cancel(name: string): Promise<void>;
  /** Forgets a batch. */
  remove(name: string): Promise<void>;
  announce(worker: WorkerNote, lease: number): Promise<void>;
  workers(): Promise<WorkerNote[]>;
  close(): Promise<void>;
}

/** Milliseconds between two renewals, until a lease that was not renewed ends, and between two searches for such leases. */
export const timesOf = ({ lease }: Pick<Batch, "lease">) => ({
  renew: Math.ceil(lease / 6),
  expire: Math.ceil(lease / 2),
  check: Math.ceil(lease / 4),
});

/** Milliseconds to wait after a number of failures. */
export const backoffOf = ({ backoff }: Pick<Batch, "backoff">, failures: number): number =>
  backoff * 2 ** Math.max(0, failures - 1);

/** Reason of a task whose processes died. */
export const DIED = "its worker died, or was stopped for longer than the lease";
