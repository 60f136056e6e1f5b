/** Bodies of requests by path: which types they may have, and how large they may be. Independent of the routes. */
import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { formatBytes } from "../tensor/index.js";
import { Refusal } from "./refusal.js";

interface Body {
  readonly types: RegExp;
  /** The types in words. */
  readonly expected: string;
  /** Most bytes. */
  readonly most: number;
  /** The route reads it part by part, and counts. */
  readonly streamed?: true;
}

/** No type of these lists can be posted by a form, which a page of any site may send. */
const JSON_BODY: Body = {
  types: /^application\/json\s*(;|$)/i,
  expected: "Content-Type: application/json",
  most: 256_000,
};

/** Most bytes of an uploaded adapter. */
export const MOST_ADAPTER = 2e9;

/** Paths whose bodies are files. */
const FILES: Readonly<Record<string, Body>> = {
  "/api/adapters": {
    types: /^application\/octet-stream\s*(;|$)/i,
    expected: "the file's bytes with Content-Type: application/octet-stream",
    most: MOST_ADAPTER,
    streamed: true,
  },
  "/api/restore": {
    types: /^(image\/png|application\/(json|octet-stream))\s*(;|$)/i,
    expected: "a PNG or a run.json with Content-Type: image/png, application/json or application/octet-stream",
    most: 64e6,
  },
};

const tooLarge = (most: number): never => {
  throw new Refusal(413, `the body is too large; expected at most ${formatBytes(most)}`);
};

/** Bytes and milliseconds for which the rest of a refused body is read. */
const MOST_DROPPED = 256e6;
const DROPPING = 5_000;

/** Reads and drops a body. A client that first sends and then reads would see a broken connection in place of the refusal. */
async function drop(body: ReadableStream<Uint8Array> | null): Promise<void> {
  const reader = body?.getReader();
  const timer = setTimeout(() => void reader?.cancel().catch(() => {}), DROPPING);
  try {
    for (let bytes = 0; bytes < MOST_DROPPED; ) {
      const part = await reader?.read();
      if (!part || part.done) return;
      bytes += part.value.length;
    }
  } catch {
    // The client is gone.
  } finally {
    clearTimeout(timer);
  }
}

/** Refuses bodies of other types, and those that are too large. */
export const bodies: MiddlewareHandler = async (c, next) => {
  const { types, expected, most, streamed = false } = FILES[c.req.path] ?? JSON_BODY;
  const type = c.req.header("content-type") ?? "";
  const length = Number(c.req.header("content-length") ?? 0);
  const hasBody = length > 0 || c.req.header("transfer-encoding") !== undefined;
  if (hasBody && !types.test(type)) throw new Refusal(415, `the body is ${type || "of no type"}; expected ${expected}`);
  if (length > most) {
    await drop(c.req.raw.body);
    tooLarge(most);
  }
  // The rest of the check reads a body without a length into memory.
  return streamed ? next() : bodyLimit({ maxSize: most, onError: () => tooLarge(most) })(c, next);
};

/** The parts of a streamed body. @throws Refusal when it is too large */
export async function* partsOf(body: ReadableStream<Uint8Array> | null, most: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const part of body ?? []) {
    bytes += part.length;
    if (bytes > most) tooLarge(most);
    yield part;
  }
}
