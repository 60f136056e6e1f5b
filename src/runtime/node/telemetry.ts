/** Disables ONNX Runtime's telemetry: Microsoft's builds of 1.30 for Linux and macOS store a device id and events, and upload them, by default. */
import { isMainThread } from "node:worker_threads";
import { MachineError } from "../../errors.js";

const SWITCH = "ORT_DISABLE_TELEMETRY";

/**
 * Disables telemetry, unless the user has set ORT_DISABLE_TELEMETRY. The native library reads the environment of the process when it loads.
 * Only the main thread's `process.env` is that environment; a worker's is a copy.
 * @throws MachineError in a worker thread whose main thread has not disabled telemetry
 */
export function disableTelemetry(): void {
  // An empty value counts as unset, as in ONNX Runtime.
  if (process.env[SWITCH]) return;
  if (!isMainThread) {
    throw new MachineError(
      `ONNX Runtime's telemetry cannot be disabled from a worker thread; set ${SWITCH}=1 in the main thread before starting the worker`,
    );
  }
  process.env[SWITCH] = "1";
}
