/** Serves requests from a message port, or from a parent process. Independent of models. */
import type { MessagePort } from "node:worker_threads";
import { isNumbered, type Numbered, type Request } from "../protocol.js";
import { type Answering, moved, reply } from "../serve.js";

/** Serves a port until it closes. */
export function servePort(port: MessagePort, answer: Answering): void {
  port.on("message", (request: Numbered<Request>) =>
    reply(request, answer, (message) => port.postMessage(message, moved(message))),
  );
}

/** Serves the parent process until it ends. Interrupting a terminal reaches this process too, and only the parent decides what then ends. */
export function serveProcess(own: NodeJS.Process, answer: Answering): void {
  own.on("message", (request) => {
    if (isNumbered<Request>(request)) void reply(request, answer, (message) => own.send?.(message));
  });
  own.on("disconnect", () => own.exit());
  own.on("SIGINT", () => {});
}
