/**
 * HTTP client of the Hub: resolves revisions, lists files, opens downloads. Built on fetch, because @huggingface/hub 2.17 ignores
 * HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE, restarts interrupted downloads from the beginning, and reports no progress.
 */
import { z } from "zod";
import { FileError } from "../errors.js";
import { parseJson } from "../files/index.js";
import { isCommit } from "./cache.js";
import { HubError, hubErrorFor } from "./errors.js";
import { type HubReference, staysInside } from "./reference.js";
import { type RetryPolicy, retryAfter, TransientError, withRetries } from "./retry.js";
import type { HubSettings } from "./settings.js";

/** File of a repository at a commit. */
export interface RemoteFile {
  /** Path in the repository, with slashes. */
  readonly path: string;
  readonly bytes: number;
  /** Name of its blob in the cache: SHA-256 of a large file (LFS), git's SHA-1 of any other. */
  readonly hash: string;
}

/** Response whose body is not read yet. */
export interface HubResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The body. @throws TransientError when the connection is lost or stalls */
  chunks(): AsyncIterable<Uint8Array>;
  /** Discards the body. */
  cancel(): Promise<void>;
}

export interface HubClient {
  readonly settings: HubSettings;
  /** The commit of a revision. @throws HubError */
  commit(reference: HubReference): Promise<string>;
  /** Files of a commit. @throws HubError; FileError when a path is outside the repository */
  list(reference: HubReference, commit: string): Promise<RemoteFile[]>;
  /** A small file. @throws HubError; FileError when it is larger than LARGEST_TEXT */
  text(reference: HubReference, commit: string, place: string): Promise<string>;
  /** Opens a file, without retries. @throws TransientError, HubError */
  open(reference: HubReference, commit: string, place: string, headers: Record<string, string>): Promise<HubResponse>;
  /** Retry policy for callers of `open`. */
  readonly retryPolicy: RetryPolicy;
}

const REDIRECTS = 10;
/** Milliseconds without a byte after which a connection is closed. */
const STALLED = 60_000;
const LARGEST_TEXT = 4e6;
const MOST_FILES = 100_000;

const commitSchema = z.object({ sha: z.string().refine(isCommit) });
const treeSchema = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    oid: z.string(),
    size: z.number().int().nonnegative(),
    lfs: z.object({ oid: z.string(), size: z.number().int().nonnegative() }).optional(),
  }),
);

export function openHub(settings: HubSettings, retryPolicy: RetryPolicy = {}): HubClient {
  const { signal } = retryPolicy;
  const encoded = (place: string) => place.split("/").map(encodeURIComponent).join("/");

  const send = (url: string, reference: HubReference, place: string, headers: Record<string, string> = {}) =>
    sendOnce(url, settings, headers, signal).then((incoming) => accepted(incoming, reference, place, settings));

  /** Requests a small response, with retries. An unreachable Hub is not retried: the caller falls back to the cache. */
  const ask = (url: string, reference: HubReference, place = "") =>
    withRetries(
      async () => {
        const incoming = await send(url, reference, place);
        return { text: await small(incoming, `${reference.id}/${place}`), headers: incoming.headers };
      },
      { ...retryPolicy, triesIfUnreachable: 1 },
    ).catch((error: unknown) => {
      throw error instanceof TransientError ? retriesFailed(reference, error, settings) : error;
    });

  return {
    settings,
    retryPolicy,
    async commit(reference) {
      const url = `${settings.endpoint}/api/models/${reference.id}/revision/${encodeURIComponent(reference.revision)}`;
      return parsed(commitSchema, (await ask(url, reference)).text, url).sha;
    },
    async list(reference, commit) {
      const files: RemoteFile[] = [];
      let url: string | null =
        `${settings.endpoint}/api/models/${reference.id}/tree/${commit}?recursive=true&expand=false`;
      while (url !== null) {
        const answer: { text: string; headers: Headers } = await ask(url, reference);
        for (const { type, path, oid, size, lfs } of parsed(treeSchema, answer.text, url)) {
          if (type === "file") files.push(listed(reference, path, lfs?.oid ?? oid, lfs?.size ?? size));
        }
        if (files.length > MOST_FILES) throw new FileError(reference.id, `lists more than ${MOST_FILES} files`);
        url = nextPage(answer.headers.get("link"), url, settings);
      }
      return files;
    },
    async text(reference, commit, place) {
      const url = `${settings.endpoint}/${reference.id}/resolve/${commit}/${encoded(place)}`;
      return (await ask(url, reference, place)).text;
    },
    open: (reference, commit, place, headers) =>
      send(`${settings.endpoint}/${reference.id}/resolve/${commit}/${encoded(place)}`, reference, place, headers),
  };
}

/** The error after the last retry. */
export function retriesFailed({ id }: HubReference, error: TransientError, { endpoint }: HubSettings): HubError {
  const problem = error.unreachable
    ? `${endpoint} cannot be reached (${error.message}); set HF_HUB_OFFLINE=1 to use the cache only`
    : `${error.message}; the partial download is kept, try again later`;
  return new HubError(id, problem, { kind: error.unreachable ? "unreachable" : "interrupted" }, { cause: error });
}

/** Sends one request and follows redirects. The token goes to the Hub only: other hosts serve files by signed URLs. */
async function sendOnce(
  first: string,
  settings: HubSettings,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<HubResponse> {
  const home = new URL(settings.endpoint).origin;
  let url = first;
  for (let hop = 0; hop <= REDIRECTS; hop++) {
    const dead = new AbortController();
    const timer = setTimeout(() => dead.abort(new TransientError(`no answer for ${STALLED / 1000} s`)), STALLED);
    const own = new URL(url).origin === home && settings.token ? { authorization: `Bearer ${settings.token}` } : {};
    const response = await fetch(url, {
      headers: { ...headers, ...own, "accept-encoding": "identity", "user-agent": "variegate" },
      redirect: "manual",
      signal: signal ? AbortSignal.any([signal, dead.signal]) : dead.signal,
    }).catch((error: unknown) => {
      clearTimeout(timer);
      throw failed(error, dead.signal, signal);
    });
    const to = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || to === null)
      return incoming(response, dead.signal, timer, signal);
    clearTimeout(timer);
    await response.body?.cancel();
    if (!URL.canParse(to, url) || !/^https?:$/.test(new URL(to, url).protocol)) break;
    url = new URL(to, url).href;
  }
  throw new TransientError("too many or invalid redirects");
}

function incoming(
  response: Response,
  dead: AbortSignal,
  timer: NodeJS.Timeout,
  signal: AbortSignal | undefined,
): HubResponse {
  const { status, headers, body } = response;
  return {
    status,
    headers,
    async *chunks() {
      try {
        for await (const chunk of body ?? []) {
          timer.refresh();
          yield chunk;
        }
      } catch (error) {
        throw failed(error, dead, signal);
      } finally {
        clearTimeout(timer);
      }
    },
    async cancel() {
      clearTimeout(timer);
      await body?.cancel().catch(() => {});
    },
  };
}

/** Error codes of connections that were never established. */
const UNREACHABLE = [
  "ENOTFOUND",
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
];

/** The error for a failed request, by the innermost cause: the message of fetch itself is only "fetch failed". */
function failed(error: unknown, dead: AbortSignal, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (dead.aborted) return dead.reason;
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  // An invalid certificate stays invalid.
  if (/CERT|SELF_SIGNED|ERR_TLS|ERR_SSL/.test(code)) return new TransientError(code, { unreachable: true });
  // An error without a code is a request that cannot be sent.
  const unreachable = code === "" || UNREACHABLE.includes(code);
  const reason = code || (cause instanceof Error ? cause.message : String(cause));
  return new TransientError(unreachable ? reason : `the connection was lost (${reason})`, { unreachable });
}

/** Checks the status of a response. @throws TransientError when a retry may help, else HubError */
async function accepted(
  answer: HubResponse,
  reference: HubReference,
  place: string,
  settings: HubSettings,
): Promise<HubResponse> {
  const { status, headers } = answer;
  if (status === 200 || status === 206 || status === 416) return answer;
  await answer.cancel();
  if (status === 408 || status === 429 || status >= 500) {
    const after = retryAfter(headers.get("retry-after"));
    const asks = after === null ? "" : ` and asks to wait ${Math.ceil(after / 1000)} s`;
    throw new TransientError(`the Hub answered ${status}${status === 429 ? " (too many requests)" : ""}${asks}`, {
      after,
    });
  }
  throw hubErrorFor(
    reference,
    place,
    { status, code: headers.get("x-error-code"), message: headers.get("x-error-message") },
    settings,
  );
}

async function small(answer: HubResponse, what: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.chunks()) {
    bytes += chunk.length;
    if (bytes > LARGEST_TEXT) {
      await answer.cancel();
      throw new FileError(what, `is larger than ${LARGEST_TEXT / 1e6} MB; expected a small file`);
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}

function parsed<T>(schema: z.ZodType<T>, text: string, url: string): T {
  const found = schema.safeParse(parseJson(text));
  if (found.success) return found.data;
  throw new HubError(url, "is not a response of the Hub; check HF_ENDPOINT if it is set, else the proxy", {
    kind: "invalid-answer",
  });
}

/** Checks an entry of a listing. @throws FileError when its path or hash cannot be a path or blob of the cache */
function listed({ id }: HubReference, place: string, hash: string, bytes: number): RemoteFile {
  if (!staysInside(place)) throw new FileError(id, `lists ${JSON.stringify(place)}, a path outside the repository`);
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash))
    throw new FileError(id, `lists ${place} without a SHA-1 or SHA-256 hash`);
  return { path: place, bytes, hash };
}

/** URL of the next page of a listing, from a header such as `<url>; rel="next"`; null for another origin than the Hub. */
function nextPage(link: string | null, from: string, { endpoint }: HubSettings): string | null {
  const [, to] = /<([^>]+)>\s*;[^,]*\brel="?next"?/.exec(link ?? "") ?? [];
  if (to === undefined || !URL.canParse(to, from)) return null;
  const url = new URL(to, from);
  return url.origin === new URL(endpoint).origin ? url.href : null;
}
