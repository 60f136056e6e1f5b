/** Chromium for tests of how a page behaves. Where there is none they are skipped, which a line on stderr says. */
import { type Browser, chromium } from "playwright-core";
import { afterAll, it } from "vitest";
import { chromiumPath } from "../../src/inspect/chromium.js";

const program = chromiumPath();

/** One for all tests of a file. Each test has pages of its own, which are closed after it. */
let shared: Promise<Browser> | undefined;
afterAll(async () => (await shared)?.close());

/** A test that needs Chromium. */
export function inBrowser(name: string, test: (browser: Browser) => Promise<void>, timeout: number): void {
  // Past vitest, whose summary counts skipped tests without naming them.
  if (!program) process.stderr.write(`SKIPPED, since there is no Chromium: "${name}" (apt-get install -y chromium)\n`);
  it.skipIf(!program)(
    name,
    async () => {
      shared ??= chromium.launch({ executablePath: program ?? "", args: ["--no-sandbox"] });
      const browser = await shared;
      try {
        await test(browser);
      } finally {
        for (const context of browser.contexts()) await context.close();
      }
    },
    timeout,
  );
}
