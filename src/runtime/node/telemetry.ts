/** ONNX Runtime's telemetry, which Microsoft's builds of 1.30 for Linux and macOS switch on by default: an id of the device, a store of events, uploads. */
import { isMainThread } from "node:worker_threads";
import { MachineError } from "../../errors.js";

const SWITCH = "ORT_DISABLE_TELEMETRY";

/**
 * Switches telemetry off, unless the user has set the variable. The native library reads the process's environment as it loads, and only
 * the main thread's `process.env` is that environment: a worker's is a copy.
 * @throws MachineError in a worker thread whose main thread has not switched it off
 */
export function disableTelemetry(): void {
  // An empty value counts as none, as in ONNX Runtime.
  if (process.env[SWITCH]) return;
  if (!isMainThread) {
    throw new MachineError(
      `ONNX Runtime's telemetry cannot be switched off from a worker thread; set ${SWITCH}=1 in the main thread before starting the worker`,
    );
  }
  process.env[SWITCH] = "1";
}
