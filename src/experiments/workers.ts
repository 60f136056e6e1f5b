/** Several processes on one machine that paint the cells of one run: each takes what is free, none waits for another. */
import { type ChildProcess, fork } from "node:child_process";
import { MachineError } from "../errors.js";
import type { ExperimentRequest, Tick } from "./run.js";

/** What a worker is told. */
export interface Order {
  readonly request: ExperimentRequest;
  readonly there: readonly string[];
  readonly workers: number;
}

/** What a worker tells. */
export type Message =
  | { readonly type: "calls"; readonly calls: number; readonly what: string }
  | { readonly type: "failed"; readonly message: string };

/** The program of a worker. */
const WORKER = new URL("./worker.js", import.meta.url);

export interface WorkerOptions {
  readonly workers: number;
  readonly progress: Tick;
  readonly signal?: AbortSignal | undefined;
  /** Default: worker.js beside this file. */
  readonly program?: URL;
}

/**
 * Returns when all have ended. @throws MachineError when one has failed: the others are stopped, finished cells stay; `signal.reason`
 * when aborted
 */
export async function paintInWorkers(
  request: ExperimentRequest,
  there: readonly string[],
  { workers, progress, signal, program = WORKER }: WorkerOptions,
): Promise<void> {
  // A signal that is already aborted sends no event.
  signal?.throwIfAborted();
  const children: ChildProcess[] = [];
  const stop = () => {
    for (const child of children) child.kill("SIGKILL");
  };
  signal?.addEventListener("abort", stop);
  try {
    const order: Order = { request, there, workers };
    await Promise.all(
      Array.from({ length: workers }, () => {
        const child = fork(program);
        children.push(child);
        return ended(child, order, progress);
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

function ended(child: ChildProcess, order: Order, progress: Tick): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: string | undefined;
    child.on("message", (message: Message) => {
      if (message.type === "calls") progress(message.calls, message.what);
      else failure = message.message;
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new MachineError(failure ?? `a worker ended (${signal ?? code}); --resume goes on without its cell`));
    });
    child.send(order);
  });
}
