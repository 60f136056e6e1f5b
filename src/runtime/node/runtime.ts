/** Runtime for Node: onnxruntime-node in a worker. */
import { access } from "node:fs/promises";
import os from "node:os";
import { FileError } from "../../errors.js";
import type { StoredBytes } from "../../tensor/index.js";
import { type Advice, workerRuntime } from "../client.js";
import type { Device, Runtime, RuntimeOptions } from "../runtime.js";
import { openChannel } from "./channel.js";
import { MOST_INSIDE, type PlaceOptions, place } from "./placement.js";
import { disableTelemetry } from "./telemetry.js";

const ADVICE: Advice = {
  memory: "try a smaller --batch or --size",
  float16: "leave out --compute, or see variegate doctor",
  device: "try --device cpu, or see variegate doctor",
};

/** Limits of the weights that a device takes in the model, in bytes, where they are not ONNX Runtime's. */
const PLACES: { readonly [D in Device]?: PlaceOptions } = {
  // OpenVINO takes weights from files or from the model only.
  openvino: { inside: MOST_INSIDE, buffered: false },
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
    async place(weights) {
      await mustBeThere(weights);
      return place(weights, PLACES[device]);
    },
    advice: ADVICE,
    mustStart: device === "cpu",
    openChannel: (on) => openChannel(device, on),
  });
}

/** Files may be moved or removed while a model is open. ONNX Runtime would say so in the words of its format. */
async function mustBeThere(weights: ReadonlyMap<string, StoredBytes>): Promise<void> {
  const files = new Set(
    [...weights.values()].flatMap((bytes) => (bytes.in === "source" ? (bytes.source.path ?? []) : [])),
  );
  for (const file of files) {
    await access(file).catch((error: unknown) => {
      throw new FileError(file, "is no longer there, or cannot be read; its model was opened from it", {
        cause: error,
      });
    });
  }
}
