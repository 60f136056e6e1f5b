/** The page of a studio in a browser: what it asks for, what goes wrong in it, and its controls by the keyboard. */
import type { Browser, Locator, Page } from "playwright-core";
import { expect } from "vitest";

export interface OpenedPage {
  readonly page: Page;
  /** Origins that the page asked for anything, and what its console and its policy said. */
  readonly origins: ReadonlySet<string>;
  readonly complaints: readonly string[];
  /** Moves the focus with the Tab key until a control has it. */
  tabTo(control: Locator): Promise<void>;
}

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
  readonly reducedMotion?: "reduce" | "no-preference";
}

/** Most controls of the page. */
const MOST_TABS = 60;

export async function openStudioPage(browser: Browser, url: string, options: PageOptions = {}): Promise<OpenedPage> {
  const { width = 1280, height = 900, ...rest } = options;
  const context = await browser.newContext({ viewport: { width, height }, acceptDownloads: true, ...rest });
  const page = await context.newPage();
  const origins = new Set<string>();
  const complaints: string[] = [];
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && protocol !== "blob:") origins.add(origin);
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // Refusals of the server, which tests ask for, are in the console as failed requests.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(url);
  return {
    page,
    origins,
    complaints,
    async tabTo(control) {
      for (let i = 0; i < MOST_TABS; i++) {
        if ((await control.and(page.locator(":focus")).count()) > 0) return;
        await page.keyboard.press("Tab");
      }
      expect.fail(`no Tab reaches ${control}`);
    },
  };
}

/** Drops a file on the page. */
export async function dropFile(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  const [base64, fileName] = [Buffer.from(bytes).toString("base64"), JSON.stringify(name)];
  const transfer = await page.evaluateHandle(`(() => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob("${base64}"), (c) => c.charCodeAt(0))], ${fileName}));
    return data;
  })()`);
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
}
