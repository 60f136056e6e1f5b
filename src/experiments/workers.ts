/** Several processes on one machine that do the same job, such as generating the cells of a run. */
import { type ChildProcess, fork } from "node:child_process";
import { MachineError } from "../errors.js";
import type { ExperimentRequest, FleetWorkerRequest } from "./request.js";

/** The first message to a worker: to generate cells of a run, or those of a queue. */
export type WorkerJob =
  | { readonly type: "run"; readonly request: ExperimentRequest; readonly workers: number }
  | { readonly type: "fleet"; readonly request: FleetWorkerRequest };

/** A later message: to give the cell back and end. */
export interface StopMessage {
  readonly type: "stop";
}

/** Messages of a worker. */
export type WorkerMessage =
  | { readonly type: "calls"; readonly calls: number; readonly row: string }
  | { readonly type: "note"; readonly text: string }
  | { readonly type: "failed"; readonly message: string };

/** Program of a worker. */
const WORKER = new URL("./worker.js", import.meta.url);

export interface WorkerOptions {
  readonly workers: number;
  readonly onMessage: (message: WorkerMessage) => void;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds between asking workers to stop and killing them. Default: 0, they are killed at once. */
  readonly grace?: number;
  /** Default: worker.js beside this file. */
  readonly program?: URL;
}

/**
 * Starts workers and waits for all of them. If one fails, the others are stopped; finished cells are kept.
 * @throws MachineError when a worker fails; `signal.reason` when aborted
 */
export async function runInProcesses(
  job: WorkerJob,
  { workers, onMessage, signal, grace = 0, program = WORKER }: WorkerOptions,
): Promise<void> {
  // An already aborted signal emits no event.
  signal?.throwIfAborted();
  const children: ChildProcess[] = [];
  const stop = () => {
    for (const child of children) child.kill("SIGKILL");
  };
  const stopSoon = () => {
    if (grace === 0) return stop();
    for (const child of children) if (child.connected) child.send({ type: "stop" } satisfies StopMessage);
    setTimeout(stop, grace).unref();
  };
  signal?.addEventListener("abort", stopSoon);
  const ends = Array.from({ length: workers }, () => {
    const child = fork(program);
    children.push(child);
    return ended(child, job, onMessage);
  });
  try {
    await Promise.all(ends);
  } catch (error) {
    stopSoon();
    await Promise.allSettled(ends);
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stopSoon);
  }
}

function ended(child: ChildProcess, job: WorkerJob, onMessage: WorkerOptions["onMessage"]): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: string | undefined;
    child.on("message", (message: WorkerMessage) => {
      if (message.type === "failed") failure = message.message;
      else onMessage(message);
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new MachineError(
            failure ?? `a worker ended (${signal ?? code}); --resume continues, and generates its cell again`,
          ),
        );
    });
    child.send(job);
  });
}
