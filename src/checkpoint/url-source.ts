/** Byte source over an HTTP URL, with range requests. Uses only fetch, so that it runs in Node and in browsers. */
import { FileError, RequestError, reasonOf } from "../errors.js";
import { type ByteSource, formatBytes } from "../tensor/index.js";
import { checkedSource } from "./source.js";

export interface UrlOptions {
  /** Headers of every request, such as Authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Maximum size in bytes of a complete download, for servers without range requests. Default: 64 MB. */
  readonly largestWhole?: number;
}

/** Bytes of the first request, which are cached: they contain the header of most files. */
const FIRST = 1 << 20;
/** Minimum bytes of a request; the last response is cached, since small adjacent tensors are read in sequence. */
const AHEAD = 1 << 18;
const LARGEST_WHOLE = 64e6;

/**
 * Opens the file at a URL with one request.
 * @throws FileError when it cannot be fetched, or is large and the server has no range requests; RequestError for any other URL than HTTP
 */
export async function openUrl(address: string | URL, options: UrlOptions = {}): Promise<ByteSource> {
  const remote = remoteAt(address, options);
  const { name } = remote;
  const response = await ask(remote, 0, FIRST);
  if (response.status === 416 && response.headers.get("content-range") === "bytes */0") {
    await response.body?.cancel();
    return checkedSource({ name, size: 0 }, async () => new Uint8Array());
  }
  if (response.status === 200) {
    const whole = await readWhole(remote, response, options.largestWhole ?? LARGEST_WHOLE);
    return checkedSource({ name, size: whole.length }, async (from, length) => whole.slice(from, from + length));
  }
  const size = await sizeIn(remote, response, 0, FIRST);
  const tag = response.headers.get("etag");
  const start = { from: 0, bytes: await readBody(remote, response, Math.min(FIRST, size)) };
  let last = start;
  return checkedSource({ name, size }, async (from, length) => {
    const known = [start, last].find((w) => from >= w.from && from + length <= w.from + w.bytes.length);
    if (known) return known.bytes.slice(from - known.from, from - known.from + length);
    if (length > AHEAD) return readRange(remote, { size, tag }, from, length);
    last = { from, bytes: await readRange(remote, { size, tag }, from, Math.min(AHEAD, size - from)) };
    return last.bytes.slice(0, length);
  });
}

/** Remote file of a request. */
interface Remote {
  readonly url: URL;
  /** URL without its query, which may contain a signature. */
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
}

function remoteAt(address: string | URL, { headers = {}, signal }: UrlOptions): Remote {
  const url = URL.canParse(String(address)) ? new URL(String(address)) : null;
  if (url?.protocol === "http:" || url?.protocol === "https:")
    return { url, name: `${url.origin}${url.pathname}`, headers, signal };
  throw new RequestError(`${address} is not an address that begins with http:// or https://`);
}

/** Requests bytes [from, from + length). */
async function ask({ url, name, headers, signal }: Remote, from: number, length: number): Promise<Response> {
  try {
    return await fetch(url, {
      headers: { ...headers, range: `bytes=${from}-${from + length - 1}` },
      ...(signal && { signal }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    // The message of fetch is generic; its cause has the reason.
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    throw new FileError(name, `cannot be fetched: ${reasonOf(cause)}`, { cause: error });
  }
}

/** Bytes [from, from + length) of an open file. @throws FileError when the file has changed since */
async function readRange(
  remote: Remote,
  opened: { readonly size: number; readonly tag: string | null },
  from: number,
  length: number,
): Promise<Uint8Array> {
  const response = await ask(remote, from, length);
  const size = await sizeIn(remote, response, from, length);
  const tag = response.headers.get("etag");
  if (size !== opened.size || (tag !== null && opened.tag !== null && tag !== opened.tag)) {
    await response.body?.cancel();
    throw new FileError(remote.name, "has changed since it was opened; open it again");
  }
  const bytes = await readBody(remote, response, length);
  if (bytes.length === length) return bytes;
  throw new FileError(remote.name, `the server sent ${bytes.length} bytes where ${length} were asked for`);
}

/** Total file size from the response to a range request. @throws FileError when the response has another range */
async function sizeIn({ name }: Remote, response: Response, from: number, length: number): Promise<number> {
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  const [first = -1, last = -1, size = -1] = range ? range.slice(1).map(Number) : [];
  const whole = Number.isSafeInteger(size) && first === from && last === Math.min(from + length, size) - 1;
  const refused = problemOf(response) ?? (whole ? null : `bytes ${from} to ${from + length - 1} were asked for`);
  if (refused === null) return size;
  await response.body?.cancel();
  throw new FileError(name, `the server answered ${described(response)}; ${refused}`);
}

/** Reason why a response is not a valid range; null for a valid one. */
function problemOf({ status, headers }: Response): string | null {
  if (status !== 206) return "206 Partial Content was expected";
  if (!headers.has("content-range")) return "its Content-Range is missing, or not exposed to other origins";
  const encoding = headers.get("content-encoding") ?? "identity";
  return encoding === "identity" ? null : `its bytes are encoded (${encoding}), and needed as they are`;
}

const described = ({ status, statusText, headers }: Response): string =>
  [status, statusText, headers.get("content-range")].filter((part) => part !== null && part !== "").join(" ");

/** Chunks of a response body, at most `most` bytes. @throws FileError when there are more, or the connection is lost */
async function* chunksOf(
  { name, signal }: Remote,
  { body }: Response,
  most: number,
  larger: string,
): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const reader = body.getReader();
  let taken = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      taken += value.length;
      if (taken > most) throw new FileError(name, larger);
      yield value;
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof FileError) throw error;
    throw new FileError(name, `the connection broke after ${taken} bytes: ${reasonOf(error)}`, { cause: error });
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Body of a response, which may be shorter than expected. */
async function readBody(remote: Remote, response: Response, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for await (const chunk of chunksOf(remote, response, length, `the server sent more than ${length} bytes`)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes.subarray(0, at);
}

/** Complete file from a server without range requests. @throws FileError when it is larger than `most` */
async function readWhole(remote: Remote, response: Response, most: number): Promise<Uint8Array> {
  const larger = `the server does not answer range requests; files of up to ${formatBytes(most)} are fetched whole, it is larger`;
  if (Number(response.headers.get("content-length")) > most) {
    await response.body?.cancel();
    throw new FileError(remote.name, larger);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(remote, response, most, larger)) chunks.push(chunk);
  const bytes = new Uint8Array(chunks.reduce((n, chunk) => n + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
