import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.js";
import { launch, program, runIn as runPair } from "../support/in-chromium.js";
import { singleGolden } from "../support/single-file.js";
import { buildWebPage, type StaticServer, serveWebPage } from "../support/web-page.js";

const REQUEST = { prompts: ["a red cartoon character"], seeds: [0], mode: "distilled", steps: 2 };
/** A request that computes for a while, in much memory. */
const LARGE = { ...REQUEST, size: { width: 512, height: 448 } };
const MEGABYTE = 2 ** 20;

let browser: Browser;
let server: StaticServer;
async function blankPage(): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${server.url}blank.html`);
  return page;
}
const runIn = (page: Page, request: object, options: object = {}) =>
  runPair(page, request, { embedded: server.embedded, ...options });

/** Memory of a browser's pages and workers in MB, from the system. */
async function pageMemory(of: Browser): Promise<number> {
  const session = await of.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const memory = processInfo.map(({ type, id }) => {
    const status = type === "renderer" ? readFileSync(`/proc/${id}/status`, "utf8") : "";
    const kilobytes = [...status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+)/gm)].map(([, n]) => Number(n));
    return kilobytes.reduce((a, b) => a + b, 0) / 1024;
  });
  return memory.reduce((a, b) => a + b, 0);
}

/** A single file of Stable Diffusion 1 with every width times 20, whose weights are a hole in the file. */
function writeHuge(file: string): number {
  const wide = (n: number) => (n >= 32 && n !== 49408 && n !== 77 ? 20 * n : n);
  let end = 0;
  const entries = singleGolden("sd1").tensors.map(([name, shape]) => {
    const own = shape.map(wide);
    const start = end;
    end += 4 * own.reduce((a, b) => a * b, 1);
    return [name, { dtype: "F32", shape: own, data_offsets: [start, end] }] as const;
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(file, Buffer.concat([size, header]));
  truncateSync(file, 8 + header.length + end);
  return end;
}

const NO_CHECKPOINTS: readonly (readonly [string, string, RegExp])[] = [
  ["notes.safetensors", "no tensors in here", /is no safetensors file, or cut short/],
  ["page.safetensors", "<!doctype html><p>Sign in", /is a web page, not weights/],
  ["picture.png", "\x89PNG\r\n\x1a\n", /weights are read from \.safetensors/],
  ["empty.ckpt", "", /is empty/],
  ["cut.gguf", "GGUF", /is cut short/],
];

describe.skipIf(!program)("limits of a page", { timeout: 200_000 }, () => {
  beforeAll(async () => {
    await buildWebPage();
    server = await serveWebPage();
    browser = await launch();
  }, 120_000);
  afterAll(async () => {
    await browser.close();
    server.close();
  });

  it("names a file that is no checkpoint, in one line", async () => {
    const page = await blankPage();
    for (const [name, text, problem] of NO_CHECKPOINTS) {
      await page.setInputFiles("input", { name, mimeType: "", buffer: Buffer.from(text, "latin1") });
      const { error } = await runIn(page, REQUEST, { base: "the given file" });
      expect(error?.startsWith(`FileError: ${name}: `), name).toBe(true);
      expect(error).toMatch(problem);
      expect(error).not.toContain("\n");
    }
  });

  it("computes weights beyond WebAssembly's 4 GiB in int8; where float32 is asked, it refuses them before they are loaded", async () => {
    const file = path.join(temporaryFolder(), "huge.safetensors");
    expect(writeHuge(file)).toBeGreaterThan(2 ** 32);
    const page = await blankPage();
    await page.setInputFiles("input", file);
    const options = { base: "the given file", compute: "float32" };
    const { error, bytes, events } = await runIn(page, REQUEST, options);
    expect(error).toMatch(
      /^MachineError: the weights of these models need \d\.\d+ GB in float32; WebAssembly in a browser addresses 4\.\d+ GB\nleave compute out for int8, which needs \d\.\d+ GB$/,
    );
    expect(events).toEqual([]);
    expect(bytes.blobs + bytes.buffers).toBe(0);
    const compute = await page.evaluate(`(async () => {
      const { openPair } = await import("/variegate.js");
      const base = document.querySelector("input").files[0];
      const pair = await openPair({ base, embedded: "/${server.embedded}", vocabulary: "/bpe_simple_vocab_16e6.txt.gz" });
      await pair.close();
      return pair.engine.compute;
    })()`);
    expect(compute).toBe("int8");
  });

  it("says that the memory does not suffice for a run, and works on", async () => {
    const page = await blankPage();
    const { error } = await runIn(
      page,
      { ...REQUEST, steps: 1, size: { width: 3072, height: 3072 } },
      { memoryBudget: 1e13 },
    );
    expect(error).toMatch(
      /^MachineError: not enough memory for the model on cpu \(.+; WebAssembly has taken \d+\.\d+ [MG]B of the 4\.29 GB that it addresses\); take .*int8.*TAESD/,
    );
    expect((await runIn(page, REQUEST)).error).toBeNull();
  });

  it("holds small downloads in memory where the storage is full, and refuses large ones", async () => {
    const page = await blankPage();
    const session = await page.context().newCDPSession(page);
    const full = { origin: server.url.slice(0, -1), quotaSize: MEGABYTE };
    await session.send("Storage.overrideQuotaForOrigin", full);
    const small = await runIn(page, REQUEST);
    expect(small).toMatchObject({ error: null, events: expect.arrayContaining(["image"]) });
    const kept: { bytes: number }[] = await page.evaluate(
      `import("/variegate.js").then(({ listDownloads }) => listDownloads())`,
    );
    expect(kept.reduce((n, { bytes }) => n + bytes, 0)).toBeLessThanOrEqual(MEGABYTE);

    const size = 300e6;
    const host = createServer((_request, response) => {
      response.writeHead(200, { "access-control-allow-origin": "*", "content-length": String(size) });
      response.write(Buffer.alloc(8 * MEGABYTE));
    });
    await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(host.address() as AddressInfo).port}/large.safetensors`;
    const large = await runIn(page, REQUEST, { base: url });
    host.closeAllConnections();
    host.close();
    expect(large.error).toBe(
      `MachineError: the browser's storage has no space for ${url}, which needs 300.0 MB\nclear earlier downloads, or free space on the disk`,
    );
    const files: string[] = await page.evaluate(`navigator.storage.getDirectory().then(async (root) => {
      const names = [];
      for await (const [, handle] of (await root.getDirectoryHandle("variegate")).entries())
        if (!handle.name.endsWith(".json")) names.push((await handle.getFile()).size);
      return names;
    })`);
    // Nothing half-written.
    expect(files.length).toBe(kept.length);
  });

  it("gives the memory of an aborted run back, and takes no more for the next", async () => {
    const own = await launch();
    try {
      const page = await own.newPage();
      await page.goto(`${server.url}blank.html`);
      await page.evaluate(`import("/variegate.js").then(async ({ openPair, generate }) => {
        window.pair = await openPair({ embedded: "${server.embedded}", runtime: { folder: "ort/", gzip: true } });
        window.abort = async (request) => {
          const controller = new AbortController();
          try {
            for await (const { type } of generate(window.pair, request, controller.signal)) if (type === "step") controller.abort();
            return "done";
          } catch (error) {
            return error.name;
          }
        };
      })`);
      const abort = (): Promise<string> => page.evaluate(`window.abort(${JSON.stringify(LARGE)})`);
      const before = await pageMemory(own);
      expect(await abort()).toBe("AbortError");
      const first = await pageMemory(own);
      for (let i = 0; i < 3; i++) expect(await abort()).toBe("AbortError");
      const fourth = await pageMemory(own);
      await page.evaluate("window.pair.close()");
      await expect.poll(() => pageMemory(own), { timeout: 20_000 }).toBeLessThan(before + 0.25 * (first - before));
      expect(first - before).toBeGreaterThan(50);
      expect(fourth - before).toBeLessThan(1.25 * (first - before));
    } finally {
      await own.close();
    }
  });

  it("goes on in a tab in the background, whose timers are throttled", async () => {
    const throttles = ["backgrounding-occluded-windows", "renderer-backgrounding", "background-timer-throttling"];
    const own = await launch({ ignoreDefaultArgs: throttles.map((name) => `--disable-${name}`) });
    try {
      // Playwright's own pages are visible at all times.
      const session = await own.newBrowserCDPSession();
      const url = `${server.url}background.html?embedded=${server.embedded}`;
      await session.send("Target.createTarget", { url });
      const said = () => server.asked.filter((name) => name.startsWith("/said/"));
      await expect.poll(said, { timeout: 30_000 }).toEqual(["/said/visible/ready"]);
      const { targetId } = await session.send("Target.createTarget", { url: "about:blank" });
      await session.send("Target.activateTarget", { targetId });
      await expect.poll(() => said().at(-1), { timeout: 120_000 }).toBe("/said/hidden/done");
      expect(said().slice(1)).toEqual(
        ["throttled", "encoded", "loaded", "step", "step", "loaded", "image", "done"].map(
          (what) => `/said/hidden/${what}`,
        ),
      );
    } finally {
      await own.close();
    }
  });
});
