import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkpointFolder } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { filesOf, type Hub, startHub, TOKEN } from "../support/hub.js";
import { launch, program, runIn, runInNode, worst } from "../support/in-chromium.js";
import { singleGolden, tensorsOf, writeSingle } from "../support/single-file.js";
import { dropFile, openStudioPage } from "../support/studio-page.js";
import { buildWebPage, ISOLATED, type StaticServer, serveWebPage } from "../support/web-page.js";

const REQUEST = { prompts: ["a red cartoon character"], seeds: [3], steps: 2, size: { width: 48, height: 32 } };
const REPOSITORY = "someone/tiny-model";

const root = temporaryFolder();
const whole = path.join(root, "mine.safetensors");

let browser: Browser;
let server: StaticServer;
async function blankPage(): Promise<{ page: Page; context: BrowserContext }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${server.url}blank.html`);
  return { page, context };
}

describe.skipIf(!program)("models of the user in Chromium", { timeout: 200_000 }, () => {
  let folder: string;
  let hub: Hub;
  beforeAll(async () => {
    await buildWebPage();
    writeSingle(whole, tensorsOf(singleGolden("sd1")));
    folder = checkpointFolder("sd1");
    hub = await startHub({ [REPOSITORY]: { revisions: { main: filesOf(folder) }, private: true } });
    server = await serveWebPage(ISOLATED);
    browser = await launch();
  }, 200_000);
  afterAll(async () => {
    await browser.close();
    server.close();
    await hub.close();
  });

  it("a checkpoint in one file gives Node's image, and its weights stay in the file", async () => {
    const { page, context } = await blankPage();
    await page.setInputFiles("input", whole);
    const [here, node] = [
      await runIn(page, REQUEST, { base: "the given file" }),
      await runInNode(REQUEST, { base: whole }),
    ];
    expect(here.error).toBeNull();
    expect(worst(here.images[0]?.data ?? [], node.images[0]?.data ?? [])).toBeLessThan(2);
    const { size } = statSync(whole);
    expect(here.bytes.blobs).toBeGreaterThanOrEqual(size / 2);
    // The header, and nothing else.
    expect(here.bytes.read + here.bytes.buffers).toBeLessThan(size / 20);
    await context.close();
  });

  it("a repository of the Hub: its token goes to the Hub only, broken downloads go on, and nothing is asked again", async () => {
    const { page, context } = await blankPage();
    const options = { base: REPOSITORY, hub: hub.endpoint };
    const refused = await runIn(page, REQUEST, options);
    expect(refused.error).toBe(
      `FileError: ${REPOSITORY}: as a Hub id: the Hub answered 401; it is private or gated: give a token`,
    );

    hub.reset();
    const unet = statSync(path.join(folder, "unet/diffusion_pytorch_model.safetensors")).size;
    const cut = Math.floor(unet / 2);
    hub.mischief = ({ at, range }) => (at === "store" && range === undefined ? { cutAfter: cut } : undefined);
    const [here, node] = [
      await runIn(page, REQUEST, { ...options, token: TOKEN }),
      await runInNode(REQUEST, { base: folder }),
    ];
    expect(here.error).toBeNull();
    expect(worst(here.images[0]?.data ?? [], node.images[0]?.data ?? [])).toBeLessThan(2);
    const progress = here.downloads.filter(({ total }) => total === unet);
    expect(progress.at(-1)?.done).toBe(unet);
    expect(progress.map(({ done }) => done)).toEqual(progress.map(({ done }) => done).toSorted((a, b) => a - b));
    expect(hub.asked.filter(({ range }) => range !== undefined).length).toBeGreaterThan(0);
    for (const { at, authorization } of hub.asked)
      expect(authorization).toBe(at === "hub" ? `Bearer ${TOKEN}` : undefined);
    const kept = await page.evaluate(`import("/variegate.js").then(async ({ listDownloads }) =>
      JSON.stringify([await listDownloads(), { ...localStorage }, { ...sessionStorage }, document.cookie]))`);
    expect(kept).toContain(REPOSITORY);
    expect(kept).not.toContain(TOKEN);

    // The Hub cannot be reached any more.
    await hub.close();
    await page.reload();
    const later = await runIn(page, REQUEST, options);
    expect(later).toMatchObject({ error: null, images: here.images, downloads: [] });
    await context.close();
  });

  it("the page opens a dropped checkpoint, and a repository with a token that it forgets", async () => {
    const hub = await startHub({ [REPOSITORY]: { revisions: { main: filesOf(folder) }, private: true } });
    const { page, complaints } = await openStudioPage(browser, server.url);
    await page.route("https://huggingface.co/**", async (route) => {
      const { pathname } = new URL(route.request().url());
      const { authorization = "" } = route.request().headers();
      const answer = await fetch(`${hub.endpoint}${pathname}`, { headers: { authorization } });
      const headers = { "access-control-allow-origin": "*", "access-control-allow-headers": "authorization" };
      await route.fulfill({ status: answer.status, headers, body: Buffer.from(await answer.arrayBuffer()) });
    });
    await dropFile(page, "mine.safetensors", readFileSync(whole));
    await expect
      .poll(() => page.getByRole("alert").first().textContent(), { timeout: 60_000 })
      .toMatch(/mine\.safetensors is /);
    const change = async (base: string, token: string) => {
      await page.getByRole("button", { name: "Change" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("combobox", { name: "Base" }).fill(base);
      await dialog.getByRole("textbox", { name: "Token of the Hub" }).fill(token);
      await dialog.getByRole("button", { name: "Open" }).click();
      await dialog.waitFor({ state: "hidden", timeout: 60_000 });
    };
    await change("mine.safetensors", "");
    await expect
      .poll(() => page.getByRole("region", { name: "Models" }).textContent())
      .toMatch(/mine\.safetensors.*sd1/i);
    await change(REPOSITORY, TOKEN);
    await expect.poll(() => page.getByRole("region", { name: "Models" }).textContent()).toContain(REPOSITORY);
    expect(await page.content()).not.toContain(TOKEN);
    expect(complaints).toEqual([]);
    await page.context().close();
    await hub.close();
  });
});
