/** A process that generates cells for a run and reports its progress. Started by workers.ts. */
import { generateAsWorker } from "./work.js";
import type { WorkerJob, WorkerMessage } from "./workers.js";

const send = (message: WorkerMessage) => process.send?.(message);

// Without the run that it works for there is nothing to do; Ctrl-C is the run's to handle.
process.on("disconnect", () => process.exit(1));
process.on("SIGINT", () => {});
process.once("message", async ({ request, done, workers }: WorkerJob) => {
  try {
    await generateAsWorker(request, new Set(done), workers, (calls, row) => send({ type: "calls", calls, row }));
    process.exit(0);
  } catch (error) {
    send({ type: "failed", message: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
    process.disconnect();
  }
});
