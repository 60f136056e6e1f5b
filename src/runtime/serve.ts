/** One answer for each request of a worker, also after an error. Independent of how messages travel. */
import { type Answer, movable, type Numbered, type Request } from "./protocol.js";

export type Answering = (request: Request) => Promise<Answer>;

/**
 * Answers a request, and sends the answer.
 * @param memory how much memory the models take, in words, where the platform knows it
 */
export async function reply(
  { id, ...request }: Numbered<Request>,
  answer: Answering,
  send: (message: Numbered<Answer>) => void,
  memory: () => string | undefined = () => undefined,
): Promise<void> {
  try {
    send({ id, ...(await answer(request)) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const taken = memory();
    send({ id, kind: "failed", message, ...(taken !== undefined && { memory: taken }) });
  }
}

/** Output buffers, which are transferred instead of copied. */
export const moved = (answer: Answer): ArrayBuffer[] =>
  answer.kind === "ran" ? movable(Object.values(answer.outputs).map((t) => t.data.buffer)) : [];
