/** Worker process that generates cells for a run and reports progress. Started by workers.ts. */
import { generateAsWorker } from "./work.js";
import type { WorkerJob, WorkerMessage } from "./workers.js";

const send = (message: WorkerMessage) => process.send?.(message);

// A worker exits with its run. Ctrl-C is handled by the run.
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
