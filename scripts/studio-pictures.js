/**
 * Makes the pictures of the studio's page in docs/: studio.png, studio.webp, in which the switch moves, and browser.png, the page with its engine
 * in it (dist/web). Needs a build, Chromium, and two minutes.
 *
 *     node scripts/studio-pictures.js [--chromium /usr/bin/chromium]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import sharp from "sharp";
import { serveStudio } from "../dist/server/index.js";

const at = process.argv.indexOf("--chromium");
const executablePath = at > 0 ? process.argv[at + 1] : "/usr/bin/chromium";
const docs = (name) => fileURLToPath(new URL(`../docs/${name}`, import.meta.url));

/** Size of the page, and of the animation. */
const PAGE = { width: 1280, height: 800 };
const ANIMATION = { width: 640, height: 400 };
/** Milliseconds between two frames, and frames after each change. */
const EVERY = 160;
const FRAMES = 14;

const workspace = mkdtempSync(join(tmpdir(), "studio-pictures-"));
const server = await serveStudio({
  ...{ models: {}, workspace, address: "127.0.0.1", port: 0, token: null },
  onError: (error) => {
    throw error;
  },
});
/** The page with its engine in it, from its own server. */
const web = spawn(process.execPath, [fileURLToPath(new URL("web.js", import.meta.url)), "--json", "--port", "0"], {
  stdio: ["ignore", "pipe", "inherit"],
});
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: PAGE, colorScheme: "light" });
  await page.goto(server.url);
  const images = page.getByRole("list", { name: "Images" });
  const whole = async () => {
    await page.waitForTimeout(400);
    await page.getByRole("button", { name: "Stop" }).and(page.locator(":disabled")).waitFor({ timeout: 120_000 });
    await page.waitForTimeout(300);
  };
  await page.getByRole("textbox", { name: "Prompt" }).fill("a cartoon character with one eye");
  await page.getByRole("button", { name: "Generate" }).click();
  await whole();
  // Once with every setting, so that the frames show the pace of the models and not of their loading.
  for (const key of ["0", "2", "1"]) {
    await page.locator("body").press(key);
    await whole();
  }

  const frames = [];
  const record = async (count) => {
    for (let i = 0; i < count; i++) {
      const started = performance.now();
      frames.push(
        await sharp(await page.screenshot())
          .resize(ANIMATION)
          .png()
          .toBuffer(),
      );
      await page.waitForTimeout(Math.max(0, EVERY - (performance.now() - started)));
    }
  };
  await record(3);
  for (const key of ["0", "1", "2"]) {
    await page.locator("body").press(key);
    await record(FRAMES);
  }
  await sharp(frames, { join: { animated: true } })
    .webp({ quality: 60, effort: 6, loop: 0, delay: frames.map(() => EVERY) })
    .toFile(docs("studio.webp"));

  await page.locator("body").press("1");
  await whole();
  await page.getByRole("combobox", { name: "Add a slider" }).selectOption({ label: "smile.base" });
  await whole();
  await page.getByRole("checkbox", { name: "Beside base and distilled" }).check();
  await page
    .getByRole("img", { name: /^Diversity: base [\d.]+, distilled [\d.]+, grid/ })
    .waitFor({ timeout: 300_000 });
  await images.getByRole("button").nth(2).press(" ");
  await page.waitForTimeout(500);
  await sharp(await page.screenshot())
    .png({ palette: true, quality: 90, effort: 10 })
    .toFile(docs("studio.png"));

  const [line] = await once(web.stdout, "data");
  await page.goto(JSON.parse(String(line)).url);
  await page.getByRole("textbox", { name: "Prompt" }).fill("a cartoon character with one eye");
  await page.getByRole("button", { name: "Generate" }).click();
  await whole();
  await page.getByText("95 %:").waitFor({ timeout: 60_000 });
  await page.locator("#opening").waitFor({ state: "hidden" });
  await sharp(await page.screenshot())
    .png({ palette: true, quality: 90, effort: 10 })
    .toFile(docs("browser.png"));
} finally {
  await browser.close();
  web.kill();
  await server.close();
  rmSync(workspace, { recursive: true, force: true });
}
