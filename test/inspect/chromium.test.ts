import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { chromiumPath, chromiumSentence } from "../../src/inspect/index.js";
import { temporaryFolder } from "../support/folder.js";

it("names Chromium, or the tests that are skipped without it and the command that installs it", () => {
  const folder = temporaryFolder();
  const places = ["missing", "chromium", "google-chrome"].map((name) => path.join(folder, name));
  expect(chromiumPath(places)).toBeNull();
  expect(chromiumSentence(null)).toMatch(/^no Chromium: tests of .* skipped \(apt-get install -y chromium\)/);
  for (const file of places.slice(1)) writeFileSync(file, "");
  expect(chromiumPath(places)).toBe(places[1]);
  expect(chromiumSentence("/usr/bin/chromium")).toContain("/usr/bin/chromium");
});
