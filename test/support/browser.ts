/** Chromium for tests of how a page behaves. Where there is none they are skipped, which a line on stderr says. */
import { type Browser, chromium } from "playwright-core";
import { it } from "vitest";
import { chromiumPath } from "../../src/inspect/chromium.js";

const program = chromiumPath();

/** A test that needs Chromium. */
export function inBrowser(name: string, test: (browser: Browser) => Promise<void>, timeout: number): void {
  // Past vitest, whose summary counts skipped tests without naming them.
  if (!program) process.stderr.write(`SKIPPED, since there is no Chromium: "${name}" (apt-get install -y chromium)\n`);
  it.skipIf(!program)(
    name,
    async () => {
      const browser = await chromium.launch({ executablePath: program ?? "", args: ["--no-sandbox"] });
      try {
        await test(browser);
      } finally {
        await browser.close();
      }
    },
    timeout,
  );
}
