/**
 * Serves the page whose engine is in the page from dist/web, which is built first where its sources are newer, on this machine only.
 *
 *     node scripts/web.js [--port n] [--json]     --port 0: a free one; default 8080. --json prints {"url": …}
 */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildWeb } from "./build.js";

const { values } = parseArgs({ options: { port: { type: "string", default: "8080" }, json: { type: "boolean" } } });
const root = fileURLToPath(new URL("../dist/web", import.meta.url));

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};
/** With these headers WebAssembly runs in several threads. Other hosts leave them to the service worker of the page. */
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cache-Control": "no-cache",
};

const status = buildWeb();
if (status !== 0) process.exit(status);

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "", "http://localhost");
  const file = join(root, normalize(decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname)));
  const info = file.startsWith(root) ? statSync(file, { throwIfNoEntry: false }) : undefined;
  if (!info?.isFile() || !["GET", "HEAD"].includes(request.method ?? "")) {
    response.writeHead(info ? 405 : 404).end();
    return;
  }
  const type = TYPES[extname(file)] ?? "application/octet-stream";
  response.writeHead(200, { ...HEADERS, "Content-Type": type, "Content-Length": info.size });
  if (request.method === "HEAD") response.end();
  else createReadStream(file).pipe(response);
});
server.on("error", (error) => {
  process.stderr.write(`--port ${values.port}: ${error.message}; --port 0 takes a free one\n`);
  process.exit(4);
});
server.listen(Number(values.port), "127.0.0.1", () => {
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`;
  process.stdout.write(values.json ? `${JSON.stringify({ url })}\n` : `${url}\n`);
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
