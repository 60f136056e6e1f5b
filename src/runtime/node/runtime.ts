/** Runtime for Node: onnxruntime-node in a worker. */
import os from "node:os";
import { type Advice, workerRuntime } from "../client.js";
import type { Runtime, RuntimeOptions } from "../runtime.js";
import { openChannel } from "./channel.js";
import { place } from "./placement.js";
import { disableTelemetry } from "./telemetry.js";

const ADVICE: Advice = {
  memory: "try a smaller --batch or --size",
  float16: "leave out --compute, or see variegate doctor",
  device: "try --device cpu, or see variegate doctor",
};

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
    advice: ADVICE,
    mustStart: device === "cpu",
    openChannel: (on) => openChannel(device, on),
  });
}
