/**
 * Asks the Hub: which commit a revision is at, which files it has, and for their bytes. On fetch alone: @huggingface/hub 2.17 reads
 * neither HF_TOKEN, HF_ENDPOINT nor HF_HUB_OFFLINE, starts an interrupted file from the beginning, and tells no progress.
 */
import { z } from "zod";
import { FileError } from "../errors.js";
import { parseJson } from "../files/index.js";
import { isCommit } from "./cache.js";
import { HubError, hubErrorFor } from "./errors.js";
import { type HubReference, staysInside } from "./reference.js";
import { type RetryPolicy, retryAfter, TransientError, withRetries } from "./retry.js";
import type { HubSettings } from "./settings.js";

/** A file of a repository at a commit. */
export interface RemoteFile {
  /** Its place in the repository, with slashes. */
  readonly path: string;
  readonly bytes: number;
  /** What the cache calls it: SHA-256 of a large file (LFS), git's SHA-1 of any other. */
  readonly hash: string;
}

/** An answer with its bytes still to come. */
export interface HubResponse {
  readonly status: number;
  readonly headers: Headers;
  /** @throws Transient when they end with an error or none comes for too long */
  chunks(): AsyncIterable<Uint8Array>;
  /** Nobody wants the bytes. */
  cancel(): Promise<void>;
}

export interface HubClient {
  readonly settings: HubSettings;
  /** The commit of a revision. @throws HubError */
  commit(reference: HubReference): Promise<string>;
  /** Files of a commit. @throws HubError; FileError when a name leaves the folder */
  list(reference: HubReference, commit: string): Promise<RemoteFile[]>;
  /** A small file. @throws HubError; FileError when it is larger than a config is */
  text(reference: HubReference, commit: string, place: string): Promise<string>;
  /** Bytes of a file, one try. @throws Transient, HubError */
  open(reference: HubReference, commit: string, place: string, headers: Record<string, string>): Promise<HubResponse>;
  /** Patience for whoever calls `open`. */
  readonly retryPolicy: RetryPolicy;
}

const REDIRECTS = 10;
/** Longer than this without a byte is a dead connection. */
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

  /** Small answers, tried again where that helps. A Hub that is not there at all is given up at once: the cache may do. */
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

/** The error for something that was tried often enough. */
export function retriesFailed({ id }: HubReference, error: TransientError, { endpoint }: HubSettings): HubError {
  const problem = error.unreachable
    ? `${endpoint} cannot be reached (${error.message}); without a network, HF_HUB_OFFLINE=1 takes what is in the cache`
    : `${error.message}; what has come is kept, so try again later`;
  return new HubError(id, problem, { kind: error.unreachable ? "unreachable" : "interrupted" }, { cause: error });
}

/** One request, redirects followed. The token goes to the Hub alone: files lie on other hosts, whose addresses are signed. */
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
  throw new TransientError("redirects lead nowhere");
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

/** Codes that mean there is no way to the server, as against one that was lost. */
const NO_WAY = ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"];

/** Why a request failed, in a few words: fetch itself says only that it did. */
function failed(error: unknown, dead: AbortSignal, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (dead.aborted) return dead.reason;
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  // Certificates do not mend themselves.
  if (/CERT|SELF_SIGNED|ERR_TLS|ERR_SSL/.test(code)) return new TransientError(code, { unreachable: true });
  // Without a code it is a request that cannot be made at all.
  const noWay = code === "" || NO_WAY.includes(code);
  const words = code || (cause instanceof Error ? cause.message : String(cause));
  return new TransientError(noWay ? words : `the connection was lost (${words})`, { unreachable: noWay });
}

/** An answer that has what was asked for. @throws Transient where it may have it later, HubError where not */
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
      throw new FileError(what, `is larger than ${LARGEST_TEXT / 1e6} MB; a small file was expected`);
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

/** @throws FileError when the place or the hash is none that the cache could take */
function listed({ id }: HubReference, place: string, hash: string, bytes: number): RemoteFile {
  if (!staysInside(place))
    throw new FileError(id, `lists ${JSON.stringify(place)}, which would lie outside its folder`);
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash))
    throw new FileError(id, `lists ${place} with no hash that is known here`);
  return { path: place, bytes, hash };
}

/** The next page of a listing: `<url>; rel="next"`. Only the Hub itself is asked on. */
function nextPage(link: string | null, from: string, { endpoint }: HubSettings): string | null {
  const [, to] = /<([^>]+)>\s*;[^,]*\brel="?next"?/.exec(link ?? "") ?? [];
  if (to === undefined || !URL.canParse(to, from)) return null;
  const url = new URL(to, from);
  return url.origin === new URL(endpoint).origin ? url.href : null;
}
