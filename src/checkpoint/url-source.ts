/** A file at an HTTP address as a source of bytes, read by range requests. On fetch alone, so that it runs anywhere. */
import { FileError, RequestError, reasonOf } from "../errors.js";
import { type ByteSource, formatBytes } from "../tensor/index.js";
import { checkedSource } from "./source.js";

export interface UrlOptions {
  /** Headers of every request, such as an authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Bytes of the largest file that is fetched whole where the server does not answer range requests; default 64 MB. */
  readonly largestWhole?: number;
}

/** Bytes of the first request, which are kept: the header of most files lies in them. */
const FIRST = 1 << 20;
/** Bytes of a request for less, of which the last is kept: small tensors that lie together are read one after the other. */
const AHEAD = 1 << 18;
const LARGEST_WHOLE = 64e6;

/**
 * Opens the file at an address with one request.
 * @throws FileError when it cannot be fetched, or is large and the server does not answer range requests; RequestError for no HTTP address
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

/** A file that is asked for. */
interface Remote {
  readonly url: URL;
  /** The address without its query, which may hold a signature. */
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

/** Asks for bytes [from, from + length). */
async function ask({ url, name, headers, signal }: Remote, from: number, length: number): Promise<Response> {
  try {
    return await fetch(url, {
      headers: { ...headers, range: `bytes=${from}-${from + length - 1}` },
      ...(signal && { signal }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    // fetch says only that it failed; its cause says why.
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    throw new FileError(name, `cannot be fetched: ${reasonOf(cause)}`, { cause: error });
  }
}

/** Bytes [from, from + length) of a file that was opened. @throws FileError when it is another file by now */
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

/** The size of the whole file by the answer to a range request. @throws FileError when the answer is not that range */
async function sizeIn({ name }: Remote, response: Response, from: number, length: number): Promise<number> {
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  const [first = -1, last = -1, size = -1] = range ? range.slice(1).map(Number) : [];
  const whole = Number.isSafeInteger(size) && first === from && last === Math.min(from + length, size) - 1;
  const refused = problemOf(response) ?? (whole ? null : `bytes ${from} to ${from + length - 1} were asked for`);
  if (refused === null) return size;
  await response.body?.cancel();
  throw new FileError(name, `the server answered ${described(response)}; ${refused}`);
}

/** The reason why an answer cannot be used as a range; null where there is none. */
function problemOf({ status, headers }: Response): string | null {
  if (status !== 206) return "206 Partial Content was expected";
  if (!headers.has("content-range")) return "its Content-Range is missing, or not exposed to other origins";
  const encoding = headers.get("content-encoding") ?? "identity";
  return encoding === "identity" ? null : `its bytes are encoded (${encoding}), and needed as they are`;
}

const described = ({ status, statusText, headers }: Response): string =>
  [status, statusText, headers.get("content-range")].filter((part) => part !== null && part !== "").join(" ");

/** Chunks of an answer, at most `most` bytes of them. @throws FileError when there are more, or the connection breaks */
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

/** The body of an answer. It may be shorter than expected. */
async function readBody(remote: Remote, response: Response, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for await (const chunk of chunksOf(remote, response, length, `the server sent more than ${length} bytes`)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes.subarray(0, at);
}

/** A whole file from a server without range requests. @throws FileError when it is larger than `most` */
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
