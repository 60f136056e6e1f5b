/** A studio on the embedded pair for tests of one file, and a client of it. */
import { afterAll, beforeAll } from "vitest";
import { type ServeOptions, type StudioServer, serveStudio } from "../../src/server/index.js";
import { temporaryFolder } from "./folder.js";

export interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** An event of a run, as a client reads it. */
export interface Seen {
  readonly id: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Client {
  readonly url: () => string;
  /** What went wrong in the server and was not the client's fault. */
  readonly errors: readonly unknown[];
  send(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Sent>;
  /** Posts the bytes of a file. */
  upload(path: string, bytes: Uint8Array, type?: string): Promise<Sent>;
  /** Events of a run after an id, up to the first of a type. */
  events(run: string, options?: { readonly after?: number; readonly until?: string }): Promise<Seen[]>;
}

/** Starts a studio before the tests of this file, and closes it after them. */
export function studioForTests(options: Partial<ServeOptions> = {}): Client {
  const errors: unknown[] = [];
  let server: StudioServer | undefined;
  beforeAll(async () => {
    server = await serveStudio({
      ...{ models: { threads: 1 }, workspace: temporaryFolder(), address: "127.0.0.1", port: 0, token: null },
      onError: (error) => errors.push(error),
      ...options,
    });
  });
  afterAll(() => server?.close());
  const url = () => server?.url ?? "";
  return {
    url,
    errors,
    async send(method, path, body, headers = {}) {
      const type = body === undefined ? {} : { "content-type": "application/json" };
      const answer = await fetch(new URL(path, url()), {
        ...{ method, headers: { ...type, ...headers }, redirect: "manual" },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      return sentOf(answer);
    },
    async upload(path, bytes, type = "application/octet-stream") {
      const headers = { "content-type": type };
      return sentOf(await fetch(new URL(path, url()), { method: "POST", headers, body: new Uint8Array(bytes) }));
    },
    events: (run, { after = 0, until = "ended" } = {}) =>
      readEvents(new URL(`api/runs/${run}/events`, url()), after, until),
  };
}

async function sentOf(answer: Response): Promise<Sent> {
  const { status, headers } = answer;
  const bytes = Buffer.from(await answer.arrayBuffer());
  const isJson = headers.get("content-type")?.startsWith("application/json");
  return { status, headers, body: isJson ? JSON.parse(bytes.toString()) : bytes };
}

async function readEvents(url: URL, after: number, until: string): Promise<Seen[]> {
  const { body } = await fetch(url, { headers: { "last-event-id": String(after) } });
  const seen: Seen[] = [];
  let text = "";
  for await (const bytes of body ?? []) {
    text += Buffer.from(bytes).toString();
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const [, type = "", data = "", id = ""] = /^event: (.*)\ndata: (.*)\nid: (.*)$/.exec(block) ?? [];
      if (type === "") continue;
      seen.push({ id: Number(id), type, data: JSON.parse(data) });
      // Leaving the loop closes the connection.
      if (type === until) return seen;
    }
  }
  return seen;
}
