/** Downloads files whole, from the kept ones where possible, with progress. */
import { FileError, reasonOf } from "../errors.js";
import { keep, kept } from "./store.js";

/** Progress of a download. */
export interface DownloadProgress {
  readonly url: string;
  readonly done: number;
  /** Bytes in total; null where the server does not say. */
  readonly total: number | null;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
  /** Headers of every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * The file at an address, as a Blob that is kept on this device; null where the server has none.
 * @param name address without what must not be in messages and notes
 * @throws FileError when it cannot be fetched; MachineError when there is no space for it
 */
export async function download(url: string, { signal, onDownload, headers }: DownloadOptions): Promise<Blob | null> {
  const known = await kept(url);
  if (known) return known;
  const response = await ask(url, { ...(signal && { signal }), ...(headers && { headers }) });
  if (response.status === 404) return null;
  if (!response.ok || !response.body) {
    throw new FileError(url, `the server answered ${response.status} ${response.statusText}`.trim());
  }
  // The length of encoded bytes says nothing about the file.
  const encoded = (response.headers.get("content-encoding") ?? "identity") !== "identity";
  const length = Number(response.headers.get("content-length"));
  const total = !encoded && length > 0 ? length : null;
  let done = 0;
  const counted = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      done += chunk.length;
      onDownload?.({ url, done, total });
      controller.enqueue(chunk);
    },
  });
  try {
    const file = await keep(url, response.body.pipeThrough(counted), total);
    if (total !== null && file.size !== total)
      throw new FileError(url, `the server sent ${file.size} of ${total} bytes`);
    return file;
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof TypeError)) throw error;
    throw new FileError(url, `the connection broke after ${done} bytes: ${reasonOf(error)}`, { cause: error });
  }
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
