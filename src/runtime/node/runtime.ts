/** Runtime for Node: onnxruntime-node in a worker. */
import os from "node:os";
import { MachineError } from "../../errors.js";
import type { Answer, Request } from "../protocol.js";
import type { Device, Runtime, RuntimeOptions } from "../runtime.js";
import { openChannel } from "./channel.js";
import { place } from "./placement.js";
import { disableTelemetry } from "./telemetry.js";

/**
 * Starts a runtime. Its worker keeps the process alive only while a request is pending.
 * @throws MachineError in a worker thread whose main thread has not disabled ONNX Runtime's telemetry
 */
export function openRuntime({ device = "cpu", threads = os.availableParallelism() }: RuntimeOptions = {}): Runtime {
  disableTelemetry();
  const worker = startWorker(device);
  const { ask } = worker;
  return {
    device,
    async load(model, upcast = "at-load") {
      const { placed, folder, buffers, own } = await place(model.weights);
      const bytes = { model: model.encode(placed), folder, buffers, packed: model.packed };
      const { session } = await ask({ kind: "load", bytes, device, threads, upcast }, "loaded", own);
      return {
        run: (feeds, held = null) => ask({ kind: "run", session, feeds, held }, "ran"),
        hold: async (name, tensors) => {
          await ask({ kind: "hold", session, name, tensors }, "held");
        },
        drop: async (name) => {
          await ask({ kind: "drop", session, name }, "dropped");
        },
        release: async () => {
          if (!worker.ended()) await ask({ kind: "release", session }, "released");
        },
      };
    },
    close: worker.close,
  };
}

/** Starts a worker. `ask` sends a request and returns the answer. */
function startWorker(device: Device) {
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  const running = new Set<Promise<Answer>>();
  let serial = 0;
  let started = false;
  let ended: Error | undefined;

  const worker = openChannel(device, {
    answer({ id, ...answer }) {
      started = true;
      waiting.get(id)?.resolve(answer);
      waiting.delete(id);
      if (waiting.size === 0) worker.unref();
    },
    ended(error) {
      ended ??= error;
      for (const { reject } of waiting.values()) reject(ended);
      waiting.clear();
      worker.unref();
    },
  });

  const ask = async <K extends Answer["kind"]>(
    request: Request,
    expected: K,
    moved: readonly ArrayBufferLike[] = [],
  ): Promise<Extract<Answer, { kind: K }>> => {
    if (ended) throw ended;
    const id = ++serial;
    const asked = new Promise<Answer>((resolve, reject) => {
      // Throws for values that cannot be copied; only sent requests are waited for.
      worker.send({ id, ...request }, moved);
      waiting.set(id, { resolve, reject });
      worker.ref();
    });
    running.add(asked);
    const answer = await asked.finally(() => running.delete(asked));
    if (answer.kind === "refused") throw new RangeError(answer.message);
    if (answer.kind === "failed") throw explained(answer.message, device, await worker.reports());
    if (!isKind(answer, expected)) throw new MachineError(`the model worker answered ${answer.kind}, not ${expected}`);
    return answer;
  };

  return {
    ask,
    ended: () => ended !== undefined,
    async close() {
      // Terminating the thread while it loads ONNX Runtime would crash the process. Any answer shows that loading has finished.
      if (!started && device === "cpu") await ask({ kind: "release", session: 0 }, "released").catch(() => {});
      ended ??= new MachineError("the runtime was closed");
      // Terminating the thread during a model call would crash the process.
      await Promise.allSettled(running);
      await worker.stop();
    },
  };
}

const isKind = <K extends Answer["kind"]>(answer: Answer, kind: K): answer is Extract<Answer, { kind: K }> =>
  answer.kind === kind;

/** Error with the message of ONNX Runtime, what native libraries reported, and advice for common causes. */
function explained(message: string, device: Device, reports: readonly string[]): MachineError {
  // Native messages begin with a source location and the failed condition.
  const short = (message.split("\n")[0] ?? message).replace(/^\/\S+\.cc:.* was false\. /, "");
  if (/bad_alloc|failed to allocate|out of memory/i.test(message)) {
    return new MachineError(`not enough memory for the model on ${device} (${short}); try a smaller --batch or --size`);
  }
  if (/requires f16|f16 but the device|shader-f16/i.test(message)) {
    return new MachineError(
      `this ${device} device does not compute in float16; leave out --compute, or see variegate doctor`,
    );
  }
  if (
    /shared library|no available adapter|not supported|backend not found|adapter/i.test(message) &&
    device !== "cpu"
  ) {
    const problem = `${device} is not available here (${[short, ...reports].join("; ")})`;
    return new MachineError(`${problem}; try --device cpu, or see variegate doctor`, undefined, problem);
  }
  return new MachineError(`ONNX Runtime on ${device}: ${short}`);
}
