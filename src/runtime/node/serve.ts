/** Serves requests with exactly one answer each, also after an error: from a message port, or from a parent process. Independent of models. */
import type { MessagePort } from "node:worker_threads";
import { type Answer, isNumbered, movable, type Numbered, type Request } from "../protocol.js";

type Answering = (request: Request) => Promise<Answer>;

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

async function reply(
  { id, ...request }: Numbered<Request>,
  answer: Answering,
  send: (message: Numbered<Answer>) => void,
): Promise<void> {
  try {
    send({ id, ...(await answer(request)) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    send({ id, kind: "failed", message });
  }
}

/** Output buffers, which are transferred instead of copied. */
const moved = (answer: Answer): ArrayBuffer[] =>
  answer.kind === "ran" ? movable(Object.values(answer.outputs).map((t) => t.data.buffer)) : [];
