/**
 * Measures the page with its engine as its user sees it, in Chromium on WebAssembly with a fresh profile each time: how soon the first image is
 * there once the page's files are, and how long a grid takes then.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { chromium, type Page } from "playwright-core";
import { z } from "zod";
import { chromiumPath } from "../src/inspect/chromium.js";
import { middle, type Report } from "./figures.js";

const SERVER = fileURLToPath(new URL("../scripts/web.js", import.meta.url));
const REPEATS = 7;
const SEEDS = 8;

async function serve(): Promise<{ url: string; process: ChildProcess }> {
  const child = spawn(process.execPath, [SERVER, "--json", "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(child.stdout, "data");
  return { url: z.object({ url: z.string() }).parse(JSON.parse(String(line))).url, process: child };
}

interface Run {
  /** Milliseconds from the click on Generate to the first image, and to all of them. */
  readonly first: number;
  readonly all: number;
  /** Time of the click. */
  readonly clicked: number;
}

/** Types a prompt as soon as that is possible, and generates. */
async function run(page: Page, prompt: string): Promise<Run> {
  await page.getByRole("textbox", { name: "Prompt" }).fill(prompt);
  // Images of the run before stay until the first of this one is there.
  await page.evaluate(`(() => {
    const shown = () => [...document.querySelectorAll('img[src^="blob:"]')].map((image) => image.src);
    const before = new Set(shown());
    const until = async (count) => {
      while (shown().filter((src) => !before.has(src)).length < count) await new Promise(requestAnimationFrame);
    };
    window.first = until(1);
    window.all = until(${SEEDS});
  })()`);
  const clicked = performance.now();
  await page.getByRole("button", { name: "Generate" }).click();
  await page.evaluate("window.first");
  const first = performance.now() - clicked;
  await page.evaluate("window.all");
  return { first, all: performance.now() - clicked, clicked };
}

/** Runs the benchmark; without Chromium it says so. */
export async function runWebBench(report: Report): Promise<void> {
  const program = chromiumPath();
  if (!program) {
    process.stderr.write("web: there is no Chromium (apt-get install chromium)\n");
    return;
  }
  const server = await serve();
  const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
  const times = { visit: [] as number[], opened: [] as number[], next: [] as number[], grid: [] as number[] };
  try {
    for (let i = 0; i < REPEATS; i++) {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(server.url);
      // The first visit downloads everything; it makes no image, which the second would show from its history.
      await page.waitForLoadState("networkidle");
      const again = await context.newPage();
      await page.close();
      const begin = performance.now();
      await again.goto(server.url, { waitUntil: "commit" });
      const opened = await run(again, `a cartoon character, ${i}`);
      times.opened.push(opened.first);
      times.visit.push(opened.clicked + opened.first - begin);
      const next = await run(again, `a cartoon character with one eye, ${i}`);
      times.next.push(next.first);
      times.grid.push(next.all);
      await context.close();
    }
  } finally {
    await browser.close();
    server.process.kill();
  }
  const rows: readonly [string, readonly number[], string?][] = [
    ["page just opened, files there: first image", times.opened, "<= 3000"],
    ["the same from the start of the visit", times.visit],
    ["page, the next run: first image", times.next],
    [`page, the next run: grid of ${SEEDS}, 4 steps`, times.grid],
  ];
  for (const [name, all, aim] of rows) {
    const { median, note } = middle(all);
    report({ name, value: median, unit: "ms", ...(aim !== undefined && { aim }), note });
  }
}
