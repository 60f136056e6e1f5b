import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { build, type PreviewServer, preview } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.js";
import { launch, program, runInNode, worst } from "../support/in-chromium.js";

const example = fileURLToPath(new URL("../../examples/06-browser", import.meta.url));
const outDir = path.join(temporaryFolder(), "built");

const PIXELS = `[...document.querySelectorAll("canvas")].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [canvas.title, [...data].filter((_, i) => i % 4 !== 3)];
})`;

describe.skipIf(!program)("the example for browsers, bundled by Vite", { timeout: 200_000 }, () => {
  let browser: Browser;
  let server: PreviewServer;
  beforeAll(async () => {
    const settings = { root: example, logLevel: "error", build: { outDir, emptyOutDir: true } } as const;
    await build(settings);
    server = await preview({ ...settings, preview: { port: 0, host: "127.0.0.1" } });
    browser = await launch();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  it("draws Node's images, in several threads", async () => {
    const page = await browser.newPage();
    await page.goto(server.resolvedUrls?.local[0] ?? "");
    await page.getByRole("status").filter({ hasText: "Done" }).waitFor({ timeout: 120_000 });
    expect(await page.evaluate("crossOriginIsolated")).toBe(true);
    const drawn: [string, number[]][] = await page.evaluate(PIXELS);
    const node = await runInNode({ prompts: ["a red cartoon character"], seeds: [0, 1, 2, 3] });
    expect(drawn.map(([title]) => title)).toEqual(node.images.map(({ seed }) => `seed ${seed}`));
    for (const [i, [, data]] of drawn.entries()) expect(worst(data, node.images[i]?.data ?? [])).toBeLessThan(2);
  });
});
