import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it, vi } from "vitest";
import { disableTelemetry } from "../../../src/runtime/node/telemetry.js";

const NAME = "ORT_DISABLE_TELEMETRY";
afterEach(() => vi.unstubAllEnvs());

describe("ONNX Runtime's telemetry", () => {
  it.each([
    [undefined, "1"],
    ["", "1"],
    ["1", "1"],
    // Set on purpose.
    ["0", "0"],
  ])("%s in the environment becomes %s", (given, expected) => {
    vi.stubEnv(NAME, given);
    disableTelemetry();
    expect(process.env[NAME]).toBe(expected);
  });

  /** What openRuntime throws in a worker thread. */
  const inWorker = async (env: Record<string, string>): Promise<string> => {
    const index = new URL("../../../dist/runtime/node/index.js", import.meta.url).href;
    const script = `
      const { parentPort } = require("node:worker_threads");
      import(${JSON.stringify(index)})
        .then(({ openRuntime }) => openRuntime({ threads: 1 }).close())
        .then(() => parentPort.postMessage("opened"), (error) => parentPort.postMessage(error.name));
    `;
    const worker = new Worker(script, { eval: true, env });
    const [message] = await once(worker, "message");
    await worker.terminate();
    return String(message);
  };

  it("a worker thread, whose environment is a copy, cannot switch it off and does not load ONNX Runtime", async () => {
    expect(await inWorker({})).toBe("MachineError");
  });

  it("a worker thread opens a runtime once the main thread has switched it off", async () => {
    disableTelemetry();
    expect(await inWorker({ [NAME]: process.env[NAME] ?? "" })).toBe("opened");
  });
});
