/** Downloads files whole, from the kept ones where possible, with progress. A broken connection is taken up where it broke. */
import { FileError, reasonOf } from "../errors.js";
import { keep, kept } from "./store.js";

/** Progress of a download. */
export interface DownloadProgress {
  readonly url: string;
  readonly done: number;
  /** Bytes in total; null where the server does not say. Equal to `done` when the file is complete. */
  readonly total: number | null;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
  /** Headers of every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Attempts to go on, each after a longer pause, without a byte in between. */
const ATTEMPTS = 3;
const PAUSE = 500;

/**
 * The file at an address, as a Blob that is kept on this device; null where the server has none.
 * @throws FileError when it cannot be fetched; MachineError when there is no space for it
 */
export async function download(url: string, { signal, onDownload, headers }: DownloadOptions): Promise<Blob | null> {
  const known = await kept(url);
  if (known) return known;
  const init = { ...(signal && { signal }), ...(headers && { headers }) };
  const response = await ask(url, init);
  if (response.status === 404) return null;
  if (!response.ok || !response.body) {
    throw new FileError(url, `the server answered ${response.status} ${response.statusText}`.trim());
  }
  // The length of encoded bytes says nothing about the file.
  const encoded = (response.headers.get("content-encoding") ?? "identity") !== "identity";
  const length = Number(response.headers.get("content-length"));
  const total = !encoded && length > 0 ? length : null;
  const body = continued(response.body, {
    url,
    total,
    signal,
    rest: (from) => restOf(url, response, init, from),
    onBytes: (done) => onDownload?.({ url, done, total }),
  });
  const file = await keep(url, body, total);
  signal?.throwIfAborted();
  onDownload?.({ url, done: file.size, total: file.size });
  return file;
}

/** A download that goes on after its connection broke. */
interface Continued {
  readonly url: string;
  readonly total: number | null;
  readonly signal: AbortSignal | undefined;
  /** Bytes from an offset to the end. */
  rest(from: number): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
  onBytes(done: number): void;
}

/** All bytes of a file. @throws FileError when the connection breaks again and again */
function continued(first: ReadableStream<Uint8Array<ArrayBuffer>>, { url, total, signal, rest, onBytes }: Continued) {
  let reader = first.getReader();
  let done = 0;
  let failures = 0;
  const broken = (cause: unknown) =>
    new FileError(url, `the connection broke after ${done} of ${total ?? "unknown"} bytes: ${reasonOf(cause)}`, {
      cause,
    });
  async function next(): Promise<Uint8Array<ArrayBuffer> | null> {
    for (;;) {
      try {
        const { value } = await reader.read();
        if (value) {
          failures = 0;
          return value;
        }
        if (total === null || done === total) return null;
        throw new TypeError(`the server sent ${done} of ${total} bytes`);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TypeError) || total === null || done > total || ++failures > ATTEMPTS) {
          throw broken(error);
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE * failures));
        // The server may be back for the attempt after this one.
        const body = await rest(done).catch(() => null);
        if (body) reader = body.getReader();
      }
    }
  }
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const bytes = await next();
      if (!bytes) return controller.close();
      done += bytes.length;
      onBytes(done);
      controller.enqueue(bytes);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/** @throws FileError when the server sends no rest, or the rest of another file */
async function restOf(url: string, { headers }: Response, init: RequestInit, from: number) {
  const rest = await ask(url, { ...init, headers: { ...init.headers, Range: `bytes=${from}-` } });
  const [before, after] = [headers.get("etag"), rest.headers.get("etag")];
  const isSame = before === null || after === null || before === after;
  const isRest = Number(rest.headers.get("content-length")) === Number(headers.get("content-length")) - from;
  if (rest.status === 206 && rest.body && isSame && isRest) return rest.body;
  await rest.body?.cancel();
  throw new FileError(url, `the server sent no bytes from ${from} on`);
}

/** @throws FileError when the server cannot be reached, or does not allow this page to read */
export async function ask(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    init.signal?.throwIfAborted();
    const why = navigator.onLine
      ? "cannot be fetched: its server cannot be reached, or does not allow other sites (CORS)"
      : "cannot be fetched: this device is offline";
    throw new FileError(url, why, { cause: error });
  }
}
