import { statSync } from "node:fs";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch, program, runInNode, runIn as runPair, worst } from "../support/in-chromium.js";
import { buildWebPage, ISOLATED, type StaticServer, serveWebPage } from "../support/web-page.js";

if (!program) process.stderr.write("SKIPPED, since there is no Chromium: test/browser (apt-get install -y chromium)\n");

const REQUEST = { prompts: ["a red cartoon character"], seeds: [0, 5] };

let browser: Browser;
const servers: StaticServer[] = [];
const contexts: BrowserContext[] = [];

/** A blank page of a server, with the origins that it asked for anything. */
async function blankPage(headers: Readonly<Record<string, string>>) {
  const server = await serveWebPage(headers);
  servers.push(server);
  const context = await browser.newContext();
  contexts.push(context);
  const page = await context.newPage();
  const origins = new Set<string>();
  page.on("request", (request) => {
    if (/^https?:/.test(request.url())) origins.add(new URL(request.url()).origin);
  });
  await page.goto(`${server.url}blank.html`);
  return { page, origins, server, context };
}

/** Opens the embedded pair in a page, and runs a request. */
const runIn = (page: Page, request: object, options: object = {}) =>
  runPair(page, request, { embedded: servers.at(-1)?.embedded, ...options });

describe.skipIf(!program)("the engine in Chromium", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    await buildWebPage();
    browser = await launch();
  }, 120_000);
  afterAll(async () => {
    await browser.close();
    for (const server of servers) server.close();
  });

  it("makes Node's images with Node's events, and asks no other origin", async () => {
    const { page, origins, server } = await blankPage(ISOLATED);
    const [here, node] = [await runIn(page, REQUEST), await runInNode(REQUEST)];
    expect(here.error).toBeNull();
    expect(here.threads).toBe(true);
    expect(here.events).toEqual(node.events);
    expect(here.images.map(({ seed }) => seed)).toEqual([0, 5]);
    for (const [i, image] of here.images.entries())
      expect(worst(image.data, node.images[i]?.data ?? [])).toBeLessThan(2);
    expect(worst(here.images[0]?.data ?? [], here.images[1]?.data ?? [])).toBeGreaterThan(50);
    expect([...origins].map((origin) => `${origin}/`)).toEqual([server.url]);
  });

  it("runs in one thread without SharedArrayBuffer, and under a policy that forbids eval", async () => {
    const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' blob:";
    const { page } = await blankPage({ "content-security-policy": policy });
    const { images, threads, violations, error } = await runIn(page, { ...REQUEST, mode: "distilled" });
    expect({ error, threads, violations, seeds: images.map(({ seed }) => seed) }).toEqual({
      ...{ error: null, threads: false, violations: [] },
      seeds: [0, 5],
    });
  });

  it("keeps downloads, which serve the next visit without a network, and are listed and cleared", async () => {
    const { page, server, context } = await blankPage(ISOLATED);
    const request = { ...REQUEST, mode: "distilled" };
    const first = await runIn(page, request);
    const { url } = server;
    const list = `import("/variegate.js").then(({ listDownloads }) => listDownloads())`;
    const downloads: { url: string; bytes: number }[] = await page.evaluate(list);
    const decoder = downloads.find(
      (download) => download.url === `${url}${server.embedded}base/vae/diffusion_pytorch_model.safetensors`,
    );
    expect(decoder?.bytes).toBe(statSync("embedded/base/vae/diffusion_pytorch_model.safetensors").size);
    // Only the code, which the host serves, is asked for again.
    const before = server.asked.length;
    await page.reload();
    const second = await runIn(page, request);
    expect(second.images).toEqual(first.images);
    expect(server.asked.slice(before).filter((path) => path.startsWith("/embedded"))).toEqual([]);
    const freed = await page.evaluate(`import("/variegate.js").then(({ clearDownloads }) => clearDownloads())`);
    expect(freed).toBe(downloads.reduce((n, { bytes }) => n + bytes, 0));
    expect(await page.evaluate(list)).toEqual([]);
    await context.close();
  });

  it("stops after the current model call when it is aborted, with the reason", async () => {
    const { page } = await blankPage(ISOLATED);
    const { error, events } = await runIn(page, REQUEST, { abortAfter: "step" });
    expect(error).toBe("Error: stopped by the test");
    expect(events.filter((type) => type === "image")).toEqual([]);
  });

  it("names a file that its server does not have, and a reference that leads nowhere", async () => {
    const { page } = await blankPage(ISOLATED);
    const missing = await runIn(page, REQUEST, { embedded: "nowhere/" });
    expect(missing.error).toMatch(/^FileError: embedded:base.*model_index\.json/);
    const unknown = await runIn(page, REQUEST, { base: "no model" });
    expect(unknown.error).toMatch(/^FileError: no model: is neither a file that was given to this page/);
    const device = await runIn(page, REQUEST, { device: "cuda" });
    expect(device.error).toMatch(/^RequestError: device cuda is not available in a browser/);
  });
});
