import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch, program, runIn, runInNode, worst } from "../support/in-chromium.js";
import { PIXELS } from "../support/parity.js";
import { buildWebPage, type StaticServer, serveWebPage } from "../support/web-page.js";

/** One step at half of the embedded pair's size: SwiftShader computes on the processor, and compiles every kernel for it. */
const REQUEST = {
  ...{ prompts: ["a red cartoon character"], seeds: [5], mode: "distilled" as const, steps: 1 },
  size: { width: 48, height: 32 },
};

/** Whether Chromium's adapter computes in float16; null where it has no adapter. */
const ADAPTER = `navigator.gpu?.requestAdapter().then((adapter) => adapter && adapter.features.has("shader-f16")) ?? null`;
/** Precision and device of a pair that is opened on WebGPU. */
const opened = ({ embedded }: StaticServer) => `import("/variegate.js").then(async ({ openPair }) => {
  const pair = await openPair({ device: "webgpu", embedded: "${embedded}", runtime: { folder: "ort/", gzip: true } });
  const { compute, runtime } = pair.engine;
  await pair.close();
  return [compute, runtime.device];
})`;

let server: StaticServer;
async function blankPage(browser: Browser): Promise<{ page: Page; context: BrowserContext }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${server.url}blank.html`);
  return { page, context };
}

// SwiftShader on a busy machine takes minutes.
describe.skipIf(!program)("WebGPU in Chromium", { timeout: 600_000 }, () => {
  beforeAll(async () => {
    await buildWebPage();
    server = await serveWebPage();
  }, 120_000);
  afterAll(() => server.close());

  it("makes Node's images, in float32 where the adapter lacks shader-f16", async ({ skip }) => {
    const browser = await launch({ args: ["--enable-unsafe-webgpu"] });
    try {
      const { page } = await blankPage(browser);
      const float16: boolean | null = await page.evaluate(ADAPTER);
      if (float16 === null) skip("Chromium has no adapter for WebGPU here");
      const embedded = { embedded: server.embedded, device: "webgpu" };
      expect(await page.evaluate(opened(server))).toEqual([float16 ? "float16" : "float32", "webgpu"]);
      const [here, node] = [await runIn(page, REQUEST, { ...embedded, compute: "float32" }), await runInNode(REQUEST)];
      expect(here.error).toBeNull();
      expect(here.events).toEqual(node.events);
      expect(worst(here.images[0]?.data ?? [], node.images[0]?.data ?? [])).toBeLessThanOrEqual(PIXELS);
      if (float16) return;
      const { error } = await runIn(page, REQUEST, { ...embedded, compute: "float16" });
      expect(error).toBe(
        "MachineError: this graphics adapter does not compute in float16: it lacks shader-f16\nleave out compute",
      );
    } finally {
      await browser.close();
    }
  });

  it("is refused in two lines where there is none, before anything is downloaded", async () => {
    const browser = await launch({ args: ["--disable-gpu"] });
    try {
      const { page } = await blankPage(browser);
      const before = server.asked.length;
      const { error, images } = await runIn(page, REQUEST, { embedded: server.embedded, device: "webgpu" });
      expect(error).toMatch(
        /^MachineError: webgpu is not available: this browser .*\nleave out device to run in WebAssembly$/,
      );
      expect(images).toEqual([]);
      expect(server.asked.slice(before).filter((path) => /^\/(embedded|ort)/.test(path))).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
