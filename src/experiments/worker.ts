/** Worker process that generates cells of a run or of a queue, and reports to its parent. Started by workers.ts. */
import { workOnFleet } from "./fleet-worker.js";
import { generateAsWorker } from "./work.js";
import type { StopMessage, WorkerJob, WorkerMessage } from "./workers.js";

const send = (message: WorkerMessage) => process.send?.(message);
const stopped = new AbortController();

const JOBS: { readonly [T in WorkerJob["type"]]: (job: Extract<WorkerJob, { type: T }>) => Promise<void> } = {
  run: ({ request, workers }) =>
    generateAsWorker(request, workers, (calls, row) => send({ type: "calls", calls, row })),
  fleet: ({ request }) =>
    workOnFleet(request, { signal: stopped.signal, onMessage: (text) => send({ type: "note", text }) }),
};
const runJob = <T extends WorkerJob["type"]>(job: Extract<WorkerJob, { type: T }>, type: T) => JOBS[type](job);

// A worker exits with its run. Ctrl-C is handled by the run.
process.on("disconnect", () => process.exit(1));
process.on("SIGINT", () => {});
process.on("message", async (job: WorkerJob | StopMessage) => {
  if (job.type === "stop") return stopped.abort(new Error("stopped"));
  try {
    await runJob(job, job.type);
    process.exit(0);
  } catch (error) {
    send({ type: "failed", message: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
    process.disconnect();
  }
});
