import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath } from "../../src/inspect/chromium.js";
import { dropFile, openStudioPage } from "../support/studio-page.js";
import { buildWebPage, serveWebPage } from "../support/web-page.js";

const program = chromiumPath();

let browser: Browser;

/** Types a prompt, generates, and waits for so many saved images. */
async function generate(page: Page, count: number): Promise<void> {
  await page.getByRole("textbox", { name: "Prompt" }).fill("a red cartoon character");
  await page.getByRole("spinbutton", { name: "Seeds" }).fill(String(count));
  await page.getByRole("button", { name: "Generate" }).click();
  const saved = page.getByRole("list", { name: "Images" }).locator('img[src^="blob:"]');
  await expect.poll(() => saved.count(), { timeout: 90_000 }).toBe(count);
}

describe.skipIf(!program)("the page with its engine", { timeout: 200_000 }, () => {
  beforeAll(async () => {
    await buildWebPage();
    browser = await chromium.launch({ executablePath: program ?? "", args: ["--no-sandbox"] });
  }, 120_000);
  afterAll(() => browser.close());

  it("generates on a host that sets no headers, then offline, with LoRAs that are dropped", async () => {
    const server = await serveWebPage({});
    const { page, origins, complaints } = await openStudioPage(browser, server.url);
    await generate(page, 2);
    expect(await page.evaluate("crossOriginIsolated")).toBe(true);
    const images = page.getByRole("list", { name: "Images" });
    await expect.poll(() => images.getByRole("listitem").count()).toBe(2);
    expect(await images.getByText("seed 1").count()).toBe(1);
    expect(await page.getByRole("slider", { name: "Switch" }).inputValue()).toBe("1");
    // CLIP, which measures the diversity, is downloaded after the images.
    await page.getByText("CLIP distance between seeds").waitFor();
    await expect.poll(() => page.locator("#opening").isHidden()).toBe(true);

    await dropFile(page, "hat.safetensors", readFileSync("embedded/adapters/blueprint.safetensors"));
    await page.getByRole("slider", { name: /hat/ }).first().waitFor();
    await dropFile(page, "notes.safetensors", Buffer.from("no tensors in here"));
    await expect.poll(() => page.getByRole("alert").textContent()).toMatch(/notes\.safetensors/);

    // Everything but the files of the user is there without the host.
    server.close();
    await page.context().setOffline(true);
    await page.reload();
    await expect.poll(() => images.locator("img").count(), { timeout: 60_000 }).toBe(2);
    await generate(page, 3);
    expect([...origins].map((origin) => `${origin}/`)).toEqual([server.url]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("is at most 200 kB without ONNX Runtime and models, and starts with at most 25 MB", async () => {
    const server = await serveWebPage();
    const { page } = await openStudioPage(browser, server.url);
    await generate(page, 2);
    const asked = [...new Set(server.asked)].map((path) => ({
      path,
      bytes: readFileSync(`dist/web${path === "/" ? "/index.html" : path}`),
    }));
    const own = asked.filter(({ path }) => !/^\/(embedded-|ort\/|assets\/ort\.)/.test(path));
    expect(own.length).toBeGreaterThan(3);
    expect(own.reduce((n, { bytes }) => n + gzipSync(bytes).length, 0)).toBeLessThanOrEqual(200_000);
    expect(asked.reduce((n, { bytes }) => n + bytes.length, 0)).toBeLessThanOrEqual(25e6);
    server.close();
    await page.context().close();
  });
});
