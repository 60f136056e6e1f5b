import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { COMMANDS } from "../../src/cli/commands.js";

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");

it("names the keys of the studio alike on the page and in its documentation", () => {
  for (const file of ["studio/src/Grid.svelte", "docs/studio.md"]) expect(read(file)).toContain("0–9 set the switch");
});

it("says in help that the studio is a page", () => {
  expect(COMMANDS.studio?.about).toContain("a page and an HTTP API");
});
