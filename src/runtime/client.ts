/** A runtime over a worker: sends its requests, waits for answers, and explains failures. Independent of the platform. */
import { MachineError } from "../errors.js";
import type { Buffered } from "./buffers.js";
import type { Channel, OpenChannel } from "./channel.js";
import type { Answer, ModelBytes, Request } from "./protocol.js";
import type { Device, Model, Runtime } from "./runtime.js";

/** What a platform gives to a runtime. */
export interface Platform {
  readonly device: Device;
  readonly threads: number;
  readonly openChannel: OpenChannel;
  /** Places the weights of a model. @throws FileError when one cannot be read; MachineError when they are too large */
  place(weights: Model["weights"]): Promise<Pick<Buffered, "placed" | "own"> & Pick<ModelBytes, "buffers" | "folder">>;
  /** What to do about common failures. */
  readonly advice: Advice;
  /** The worker may be ended only after it has answered once: ending it while it loads ONNX Runtime would crash the process. */
  readonly mustStart: boolean;
}

/** What to do about a failure, in the words of a platform's options. */
export interface Advice {
  /** The memory does not suffice. */
  readonly memory: string;
  /** The device does not compute in float16. */
  readonly float16: string;
  /** The device is not there. */
  readonly device: string;
}

/** Starts a worker, and returns its runtime. */
export function workerRuntime(platform: Platform): Runtime {
  const { device, threads } = platform;
  const worker = startWorker(platform);
  const { ask } = worker;
  return {
    device,
    async load(model, upcast = "at-load") {
      const { placed, folder, buffers, own } = await platform.place(model.weights);
      const { packed, fusible, type, inputs, outputs } = model;
      const bytes = { model: model.encode(placed), folder, buffers, packed, fusible, type, inputs, outputs };
      const { session } = await ask({ kind: "load", bytes, device, threads, upcast }, "loaded", own);
      return {
        run: (feeds, held = null, feeding = "copy") => {
          const moved = feeding === "move" ? Object.values(feeds).map(({ data }) => data.buffer) : [];
          return ask({ kind: "run", session, feeds, held }, "ran", moved);
        },
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
function startWorker({ device, openChannel, mustStart, advice }: Platform) {
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  const running = new Set<Promise<Answer>>();
  let serial = 0;
  let started = false;
  let ended: Error | undefined;

  const worker: Channel = openChannel({
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
    if (answer.kind === "failed") throw explained(answer, device, advice, await worker.reports());
    if (!isKind(answer, expected)) throw new MachineError(`the model worker answered ${answer.kind}, not ${expected}`);
    return answer;
  };

  return {
    ask,
    ended: () => ended !== undefined,
    async close() {
      // Any answer shows that loading has finished.
      if (!started && mustStart) await ask({ kind: "release", session: 0 }, "released").catch(() => {});
      ended ??= new MachineError("the runtime was closed");
      // Terminating the thread during a model call would crash the process.
      await Promise.allSettled(running);
      await worker.stop();
    },
  };
}

const isKind = <K extends Answer["kind"]>(answer: Answer, kind: K): answer is Extract<Answer, { kind: K }> =>
  answer.kind === kind;

/** The library that a provider could not load, in place of the loader's text with its path twice; null for other problems. */
function missingLibrary(problem: string): string | null {
  const [, file] = /Failed to load library .*?([^/\s]+\.so[.\d]*): cannot open shared object file/.exec(problem) ?? [];
  return file === undefined ? null : `${file} is missing`;
}

/** Error with the message of ONNX Runtime, what native libraries reported, and advice for common causes. */
function explained(
  { message, memory }: Extract<Answer, { kind: "failed" }>,
  device: Device,
  advice: Advice,
  reports: readonly string[],
): MachineError {
  // Native messages begin with the failed call in browsers, a source location and the failed condition.
  const short = (message.split("\n")[0] ?? message)
    .replace(/^failed to call \w+\(\)\. ERROR_CODE: \d+, ERROR_MESSAGE: /, "")
    .replace(/^\/\S+\.cc:.* was false\. |^\/\S+safeint\.h:.*\(\) /, "");
  // A size overflows where pointers have 32 bits.
  if (/bad_alloc|failed to allocate|out of memory|SafeIntOnOverflow/i.test(message)) {
    const facts = memory === undefined ? short : `${short}; ${memory}`;
    return new MachineError(`not enough memory for the model on ${device} (${facts}); ${advice.memory}`);
  }
  if (/requires f16|f16 but the device|shader-f16/i.test(message)) {
    return new MachineError(`this ${device} device does not compute in float16; ${advice.float16}`);
  }
  if (
    /shared library|no available adapter|not supported|backend not found|adapter/i.test(message) &&
    device !== "cpu"
  ) {
    const problem = `${device} is not available here (${[short, ...reports].join("; ")})`;
    const said = `${device} is not available here (${missingLibrary(problem) ?? [short, ...reports].join("; ")})`;
    return new MachineError(`${said}; ${advice.device}`, undefined, problem);
  }
  return new MachineError(`${device === "openvino" ? "OpenVINO" : `ONNX Runtime on ${device}`}: ${short}`);
}
