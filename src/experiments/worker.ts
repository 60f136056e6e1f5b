/** A process that paints cells for a run and tells it how far it is. Started by workers.ts. */
import { paintAsWorker } from "./run.js";
import type { Message, Order } from "./workers.js";

const tell = (message: Message) => process.send?.(message);

// Without the run that it works for there is nothing to do; Ctrl-C is the run's to handle.
process.on("disconnect", () => process.exit(1));
process.on("SIGINT", () => {});
process.once("message", async ({ request, there, workers }: Order) => {
  try {
    await paintAsWorker(request, new Set(there), workers, (calls, what) => tell({ type: "calls", calls, what }));
    process.exit(0);
  } catch (error) {
    tell({ type: "failed", message: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
    process.disconnect();
  }
});
