/** The engine for pages in Chromium: dist/web, built once if its sources are newer, from a static server with the headers that a test names. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build, defaultClientConditions } from "vite";
import { temporaryFolder } from "./folder.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const HERE = fileURLToPath(new URL(".", import.meta.url));
const PAGE = path.join(root, "dist", "web");
const BUILT = path.join(PAGE, "index.html");
const SOURCES = ["src", "studio", "embedded"];

const time = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const newest = (folder: string): number =>
  Math.max(
    ...readdirSync(path.join(root, folder), { recursive: true }).map((file) =>
      time(path.join(root, folder, String(file))),
    ),
  );

/** Builds dist/web if it is older than its sources. Test files that run side by side wait for one build. */
export async function buildWebPage(): Promise<void> {
  const lock = path.join(root, "dist", ".web-lock");
  for (;;) {
    if (time(BUILT) >= Math.max(...SOURCES.map(newest))) return;
    try {
      mkdirSync(lock);
      break;
    } catch {
      if (Date.now() - time(lock) > 120_000) rmSync(lock, { recursive: true, force: true });
      await sleep(200);
    }
  }
  try {
    const vite = path.join(root, "node_modules", "vite", "bin", "vite.js");
    const config = path.join(root, "studio", "vite.web.config.ts");
    const { status, stderr } = spawnSync(process.execPath, [vite, "build", "--config", config, "--logLevel", "error"], {
      encoding: "utf8",
      // Vitest's own value would build Svelte for development.
      env: { ...process.env, NODE_ENV: "production" },
    });
    if (status !== 0 || !existsSync(BUILT)) throw new Error(`dist/web could not be built: ${stderr}`);
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".css": "text/css",
};

/** Headers with which pages may share memory between threads. */
export const ISOLATED = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

export interface StaticServer {
  readonly url: string;
  /** Folder of the embedded pairs, whose name has their hash. */
  readonly embedded: string;
  /** Paths of all requests. */
  readonly asked: string[];
  close(): void;
}

/** Bundles a part of tests that uses the engine's own modules into a folder, which a page imports as `/bundled/name.js`. */
export async function bundleForPages(name: string): Promise<string> {
  const folder = temporaryFolder();
  await build({
    configFile: false,
    root,
    base: "./",
    publicDir: false,
    logLevel: "error",
    resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
    worker: { format: "es" },
    build: {
      outDir: folder,
      emptyOutDir: false,
      assetsInlineLimit: 0,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: {
        input: path.join(HERE, `${name}.js`),
        preserveEntrySignatures: "strict",
        output: { entryFileNames: "[name].js" },
      },
    },
  });
  return folder;
}

/** Parts of tests that run in a page. */
const IN_PAGE = ["/in-page.js", "/in-background.js"];
const BUNDLED = "/bundled/";
/** A page with an input for a file, and one that runs in the background. */
const PAGES: Readonly<Record<string, string>> = {
  "/blank.html": "<!doctype html><title>blank</title><input type=file>",
  "/background.html": "<!doctype html><script type=module src=/in-background.js></script>",
};

/**
 * Serves dist/web with these headers, pages for tests, and the parts of tests that run in them.
 * @param bundled folder of bundleForPages
 */
export async function serveWebPage(
  headers: Readonly<Record<string, string>> = ISOLATED,
  bundled: string | null = null,
): Promise<StaticServer> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://localhost");
    asked.push(pathname);
    const name = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    const blank = PAGES[name] === undefined ? null : Buffer.from(PAGES[name]);
    const file = IN_PAGE.includes(name)
      ? path.join(HERE, name)
      : bundled !== null && name.startsWith(BUNDLED)
        ? path.join(bundled, path.normalize(name.slice(BUNDLED.length)))
        : path.join(PAGE, path.normalize(name));
    const body = blank ?? (await readFile(file).catch(() => null));
    const type = { "content-type": TYPES[path.extname(name)] ?? "application/octet-stream" };
    response.writeHead(body ? 200 : 404, { ...headers, ...type, "content-length": String(body?.length ?? 0) });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    embedded: `${readdirSync(PAGE).find((name) => name.startsWith("embedded-"))}/`,
    asked,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
