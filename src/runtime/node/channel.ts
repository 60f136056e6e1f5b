/**
 * The worker that runs models, and messages to and from it. The CPU's is a thread. Other devices have a process of their own: their drivers
 * print on stderr, and a crash in one ends that process only.
 */
import { type ChildProcess, fork } from "node:child_process";
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { MachineError } from "../../errors.js";
import type { Channel, ChannelEvents } from "../channel.js";
import { type Answer, isNumbered, movable, type Numbered } from "../protocol.js";
import type { Device } from "../runtime.js";
import { openInMemory, openOutbox, take } from "./large-arrays.js";
import { nativeLog } from "./native-log.js";
import { WITH_FILES } from "./serve.js";

// The compiled worker, also for tests that run this file from src/, a sibling of dist/.
const ENTRY = new URL("../../../dist/runtime/node/worker.js", import.meta.url);
/** Milliseconds in which lines on stderr follow the answer that they explain. */
const DELAY = 50;

/** Starts a worker for a device. */
export const openChannel = (device: Device, on: ChannelEvents): Channel =>
  device === "cpu" ? openThread(on) : openProcess(device, on);

function openThread(on: ChannelEvents): Channel {
  // The worker would not start with some options of the main thread, such as --input-type.
  const worker = new Worker(ENTRY, { execArgv: [] });
  worker.unref();
  worker.on("message", (answer: Numbered<Answer>) => on.answer(answer));
  worker.on("error", (error) => on.ended(new MachineError(`the model worker failed: ${String(error)}`)));
  worker.on("messageerror", (error) =>
    on.ended(new MachineError(`an answer of the model worker could not be read: ${String(error)}`)),
  );
  worker.on("exit", () => on.ended(new MachineError("the runtime was closed")));
  return {
    send: (request, moved) => worker.postMessage(request, movable(moved)),
    ref: () => worker.ref(),
    unref: () => worker.unref(),
    reports: async () => [],
    stop: async () => {
      await worker.terminate();
    },
  };
}

function openProcess(device: Device, on: ChannelEvents): Channel {
  const log = nativeLog((line) => process.stderr.write(`${line}\n`));
  const [requests, answers] = [openInMemory(), openInMemory()];
  const files = requests === null || answers === null ? [] : [requests, answers];
  // The process gets the files under the numbers that follow those of its streams.
  const child = fork(fileURLToPath(ENTRY), files.length > 0 ? [WITH_FILES] : [], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc", ...files],
    execArgv: [],
  });
  const outbox = openOutbox(files[0] ?? null);
  const read: number[] = [];
  child.stderr?.setEncoding("utf8").on("data", log.write);
  child.on("message", (message) => {
    const answer = take(files[1] ?? null, message);
    if (!isNumbered<Answer>(answer)) return;
    outbox.read([answer.id]);
    read.push(answer.id);
    on.answer(answer);
  });
  child.on("error", (error) => {
    if (child.pid === undefined) on.ended(new MachineError(`the process of ${device} failed: ${error.message}`));
    // A message that could not be sent: the process has crashed, and "close" tells why, or its channel is broken.
    else child.kill("SIGKILL");
  });
  child.on("close", (code, signal) => {
    log.end();
    for (const file of files.splice(0)) closeSync(file);
    const why = log.reports().map((report) => `; ${report}`);
    on.ended(new MachineError(`the process of ${device} ended with ${signal ?? code}${why.join("")}`));
  });
  keepAlive(child, false);
  return {
    send(request) {
      child.send({ read: read.splice(0), request: outbox.put(request.id, request) });
    },
    ref: () => keepAlive(child, true),
    unref: () => keepAlive(child, false),
    async reports() {
      await new Promise((resolve) => setTimeout(resolve, DELAY));
      return log.reports();
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = new Promise((resolve) => child.once("close", resolve));
      keepAlive(child, true);
      // Drivers release a device when its process is gone; their own shutdown can hang.
      child.kill("SIGKILL");
      await closed;
    },
  };
}

/** Whether a child process keeps this one alive. */
function keepAlive(child: ChildProcess, alive: boolean): void {
  const parts = [child, child.channel, child.stderr instanceof Socket ? child.stderr : null];
  for (const part of parts) {
    if (alive) part?.ref();
    else part?.unref();
  }
}
