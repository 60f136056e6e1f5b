/** Serves requests from a message port, or from a parent process. Independent of models. */
import type { MessagePort } from "node:worker_threads";
import { isNumbered, type Numbered, type Request } from "../protocol.js";
import { type Answering, moved, reply } from "../serve.js";
import { openOutbox, take } from "./large-arrays.js";

/** Serves a port until it closes. */
export function servePort(port: MessagePort, answer: Answering): void {
  port.on("message", (request: Numbered<Request>) =>
    reply(request, answer, (message) => port.postMessage(message, moved(message))),
  );
}

/** Argument of a process that has files for large arrays: that of requests, then that of answers. */
export const WITH_FILES = "with-files";
const FILES = [4, 5] as const;

/** A request of the parent process, with the answers that it has read since the one before. */
interface Sent {
  readonly read: readonly number[];
  readonly request: unknown;
}

/** Serves the parent process until it ends. Interrupting a terminal reaches this process too, and only the parent decides what then ends. */
export function serveProcess(own: NodeJS.Process, answer: Answering): void {
  const [requests, answers] = own.argv.includes(WITH_FILES) ? FILES : [null, null];
  const outbox = openOutbox(answers);
  own.on("message", ({ read, request: sent }: Sent) => {
    outbox.read(read);
    const request = take(requests, sent);
    if (isNumbered<Request>(request)) {
      void reply(request, answer, (message) => own.send?.(outbox.put(message.id, message)));
    }
  });
  own.on("disconnect", () => own.exit());
  own.on("SIGINT", () => {});
}
