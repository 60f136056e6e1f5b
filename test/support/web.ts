/** A server of files on this machine that answers range requests, and misbehaves where a test says so. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { atEnd } from "./ending.js";

export interface WebAnswer {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
  /** Bytes after which the connection is cut. */
  cutAfter?: number;
}

export interface WebServer {
  /** The address of a file. */
  url(file: string): string;
  /** Headers of each request so far. */
  readonly asked: IncomingHttpHeaders[];
}

/** The answer to a request for a part of a file, or all of it. */
function answerOf(file: Uint8Array, range: string | undefined): WebAnswer {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  const from = Number(first);
  if (first === undefined) return { status: 200, headers: {}, body: file };
  if (from >= file.length)
    return { status: 416, headers: { "content-range": `bytes */${file.length}` }, body: new Uint8Array() };
  const to = Math.min(Number(last) + 1, file.length);
  return {
    status: 206,
    headers: { "content-range": `bytes ${from}-${to - 1}/${file.length}`, etag: '"1"' },
    body: file.subarray(from, to),
  };
}

/** Starts a server. `change` alters the nth answer. */
export async function webServer(
  files: Readonly<Record<string, Uint8Array>>,
  change: (answer: WebAnswer, n: number) => WebAnswer = (answer) => answer,
): Promise<WebServer> {
  const asked: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    const file = files[new URL(request.url ?? "", "http://localhost").pathname.slice(1)];
    const plain = file ? answerOf(file, request.headers.range) : { status: 404, headers: {}, body: new Uint8Array() };
    const { status, headers, body, cutAfter } = change(plain, asked.push(request.headers) - 1);
    response.writeHead(status, { "content-length": String(body.length), ...headers });
    if (cutAfter === undefined) response.end(body);
    else response.write(body.subarray(0, cutAfter), () => response.destroy());
  });
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: (file) => `http://127.0.0.1:${port}/${file}`, asked };
}
