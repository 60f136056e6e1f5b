/** Chromium for tests of how a page behaves. Where there is none they are skipped, which a line on stderr says. */
import { type Browser, chromium } from "playwright-core";
import { it } from "vitest";
import { chromiumPath } from "../../src/inspect/chromium.js";
import { atEnd } from "./ending.js";

const program = chromiumPath();

/** One for all tests of a file. Each test has pages of its own, which are closed after it. */
let shared: Promise<Browser> | undefined;

function launch(): Promise<Browser> {
  const launched = chromium.launch({ executablePath: program ?? "", args: ["--no-sandbox"] });
  atEnd(async () => {
    shared = undefined;
    await (await launched).close();
  });
  return launched;
}

/** A test that needs Chromium. */
export function inBrowser(name: string, test: (browser: Browser) => Promise<void>, timeout: number): void {
  // Past vitest, whose summary counts skipped tests without naming them.
  if (!program) process.stderr.write(`SKIPPED, since there is no Chromium: "${name}" (apt-get install -y chromium)\n`);
  it.skipIf(!program)(
    name,
    async () => {
      shared ??= launch();
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
