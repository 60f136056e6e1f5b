/** Serves requests from a message port with exactly one answer each, also after an error. Independent of models. */
import type { MessagePort } from "node:worker_threads";
import { type Answer, movable, type Numbered, type Request } from "../protocol.js";

/** Serves a port until it closes. */
export function serve(port: MessagePort, answer: (request: Request) => Promise<Answer>): void {
  port.on("message", async ({ id, ...request }: Numbered<Request>) => {
    try {
      const reply: Numbered<Answer> = { id, ...(await answer(request)) };
      port.postMessage(reply, moved(reply));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      port.postMessage({ id, kind: "failed", message } satisfies Numbered<Answer>);
    }
  });
}

/** Output buffers, which are transferred instead of copied. */
const moved = (answer: Answer): ArrayBuffer[] =>
  answer.kind === "ran" ? movable(Object.values(answer.outputs).map((t) => t.data.buffer)) : [];
