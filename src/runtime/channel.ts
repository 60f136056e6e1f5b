/** A worker that runs models, as a runtime sees it: requests go in, answers come out. Each platform has its own. */
import type { Answer, Numbered, Request } from "./protocol.js";

/** A worker. */
export interface Channel {
  /** Sends a request. The buffers of `moved` may be transferred. @throws DataCloneError for values that cannot be copied */
  send(request: Numbered<Request>, moved: readonly ArrayBufferLike[]): void;
  /** Keeps this process alive while a request is pending. */
  ref(): void;
  unref(): void;
  /** What native libraries reported last. */
  reports(): Promise<readonly string[]>;
  /** Ends the worker, which must be idle. */
  stop(): Promise<void>;
}

export interface ChannelEvents {
  answer(answer: Numbered<Answer>): void;
  /** The worker has ended, or cannot be used any more. */
  ended(error: Error): void;
}

export type OpenChannel = (on: ChannelEvents) => Channel;
