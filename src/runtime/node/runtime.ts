/** Runtime for Node: onnxruntime-node in a worker. */
import os from "node:os";
import { workerRuntime } from "../client.js";
import type { Runtime, RuntimeOptions } from "../runtime.js";
import { openChannel } from "./channel.js";
import { place } from "./placement.js";
import { disableTelemetry } from "./telemetry.js";

/**
 * Starts a runtime. Its worker keeps the process alive only while a request is pending.
 * @throws MachineError in a worker thread whose main thread has not disabled ONNX Runtime's telemetry
 */
export function openRuntime({ device = "cpu", threads = os.availableParallelism() }: RuntimeOptions = {}): Runtime {
  disableTelemetry();
  // The worker of the CPU is a thread of this process.
  return workerRuntime({
    device,
    threads,
    place,
    mustStart: device === "cpu",
    openChannel: (on) => openChannel(device, on),
  });
}
