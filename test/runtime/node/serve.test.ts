import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import { expect, it } from "vitest";
import { servePort } from "../../../src/runtime/node/serve.js";
import type { Answer } from "../../../src/runtime/protocol.js";
import type { Tensor } from "../../../src/tensor/index.js";

/** The reply to one request, where `answer` is what the models would say. */
async function replyTo(answer: () => Promise<Answer>): Promise<unknown> {
  const { port1, port2 } = new MessageChannel();
  servePort(port2, answer);
  port1.postMessage({ id: 7, kind: "release", session: 1 });
  const [reply] = await once(port1, "message");
  port1.close();
  return reply;
}

const view = (buffer: ArrayBuffer, from: number): Tensor => ({
  dtype: "float32",
  shape: [2],
  data: new Float32Array(buffer, from, 2),
});

it("sends outputs that share a buffer", async () => {
  const { buffer } = Float32Array.of(1, 2, 3, 4);
  const outputs = { a: view(buffer, 0), b: view(buffer, 8) };
  expect(await replyTo(async () => ({ kind: "ran", outputs, milliseconds: 1 }))).toEqual({
    id: 7,
    kind: "ran",
    outputs: {
      a: { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) },
      b: { dtype: "float32", shape: [2], data: Float32Array.of(3, 4) },
    },
    milliseconds: 1,
  });
});

it("an answer that cannot be sent is a failure of this request only", async () => {
  const { buffer } = Float32Array.of(1, 2);
  const outputs = { a: view(buffer, 0) };
  structuredClone(buffer, { transfer: [buffer] });
  expect(await replyTo(async () => ({ kind: "ran", outputs, milliseconds: 1 }))).toMatchObject({
    id: 7,
    kind: "failed",
  });
});

it("so is an answer that throws", async () => {
  const failing = async () => {
    throw new Error("no");
  };
  expect(await replyTo(failing)).toEqual({ id: 7, kind: "failed", message: "no" });
});
