/** Generates the cells of a run with several processes on one machine. */
import { type ChildProcess, fork } from "node:child_process";
import { MachineError } from "../errors.js";
import type { CallListener, ExperimentRequest } from "./request.js";

/** The first message to a worker. */
export interface WorkerJob {
  readonly request: ExperimentRequest;
  /** Ids of finished cells. */
  readonly done: readonly string[];
  readonly workers: number;
}

/** Messages of a worker. */
export type WorkerMessage =
  | { readonly type: "calls"; readonly calls: number; readonly row: string }
  | { readonly type: "failed"; readonly message: string };

/** Program of a worker. */
const WORKER = new URL("./worker.js", import.meta.url);

export interface WorkerOptions {
  readonly workers: number;
  readonly onCalls: CallListener;
  readonly signal?: AbortSignal | undefined;
  /** Default: worker.js beside this file. */
  readonly program?: URL;
}

/**
 * Starts workers and waits for all of them. If one fails, the others are stopped; finished cells are kept.
 * @throws MachineError when a worker fails; `signal.reason` when aborted
 */
export async function generateInWorkers(
  request: ExperimentRequest,
  done: readonly string[],
  { workers, onCalls, signal, program = WORKER }: WorkerOptions,
): Promise<void> {
  // An already aborted signal emits no event.
  signal?.throwIfAborted();
  const children: ChildProcess[] = [];
  const stop = () => {
    for (const child of children) child.kill("SIGKILL");
  };
  signal?.addEventListener("abort", stop);
  try {
    const job: WorkerJob = { request, done, workers };
    await Promise.all(
      Array.from({ length: workers }, () => {
        const child = fork(program);
        children.push(child);
        return ended(child, job, onCalls);
      }),
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    stop();
    signal?.removeEventListener("abort", stop);
  }
}

function ended(child: ChildProcess, job: WorkerJob, onCalls: CallListener): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: string | undefined;
    child.on("message", (message: WorkerMessage) => {
      if (message.type === "calls") onCalls(message.calls, message.row);
      else failure = message.message;
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
