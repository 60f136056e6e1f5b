/** Runtime for browsers: onnxruntime-web in a worker, as WebAssembly or on WebGPU. */
import { MachineError, RequestError } from "../../errors.js";
import type { Channel, ChannelEvents } from "../channel.js";
import { type Advice, workerRuntime } from "../client.js";
import { type Answer, movable, type Numbered } from "../protocol.js";
import type { Runtime, RuntimeOptions } from "../runtime.js";
import type { RuntimeFiles, Start } from "./files.js";
import { place } from "./placement.js";

export interface WebRuntimeOptions extends RuntimeOptions {
  /** Where ONNX Runtime's files are; default: as the bundler of the page found them. */
  readonly files?: RuntimeFiles;
}

const ADVICE: Advice = {
  memory: "take fewer seeds at once, a smaller size, int8 as compute, or a TAESD as decoder",
  float16: "leave out compute",
  device: "leave out device to run in WebAssembly",
};

/** Threads by default: all processors where the page may share memory between them, else one. */
export const availableThreads = (): number => (crossOriginIsolated ? navigator.hardwareConcurrency : 1);

/**
 * Starts a runtime. "cpu" is WebAssembly with SIMD, in several threads where the page is cross-origin isolated.
 * @throws RequestError for a device that browsers do not have
 */
export function openRuntime({ device = "cpu", threads = availableThreads(), files }: WebRuntimeOptions = {}): Runtime {
  if (device !== "cpu" && device !== "webgpu") {
    throw new RequestError(`device ${device} is not available in a browser; expected cpu or webgpu`, {
      field: "device",
    });
  }
  // Threads are of the build without WebGPU (worker.ts), which computes little on the processor.
  const shared = crossOriginIsolated && device === "cpu";
  const start: Start = { device, threads: shared ? threads : 1, files: files ? absolute(files) : null };
  return workerRuntime({
    device,
    threads: start.threads,
    place,
    advice: ADVICE,
    mustStart: false,
    openChannel: (on) => openWorker(start, on),
  });
}

/** Relative to the page, as a worker has an address of its own. */
const absolute = ({ folder, ...files }: RuntimeFiles): RuntimeFiles => ({
  ...files,
  folder: new URL(folder, self.location.href).href,
});

function openWorker(start: Start, on: ChannelEvents): Channel {
  // This form is what bundlers recognise.
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "variegate" });
  worker.addEventListener("message", ({ data }: MessageEvent<Numbered<Answer>>) => on.answer(data));
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    on.ended(new MachineError(`the model worker failed: ${event.message || "its script could not be loaded"}`));
  });
  worker.addEventListener("messageerror", () =>
    on.ended(new MachineError("an answer of the model worker could not be read")),
  );
  worker.postMessage(start);
  return {
    send: (request, moved) => worker.postMessage(request, movable(moved)),
    ref: () => {},
    unref: () => {},
    reports: async () => [],
    stop: async () => worker.terminate(),
  };
}
