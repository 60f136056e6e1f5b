import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const folder = new URL("../../examples/", import.meta.url);

/** Text that an example must print. */
const PRINTED: Readonly<Record<string, string>> = { "02-cancel.js": "five steps are enough" };

describe("examples run as they stand", { timeout: 60_000 }, () => {
  it.each(readdirSync(folder).filter((f) => f.endsWith(".js")))(
    "%s",
    (file) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL(file, folder))], {
        encoding: "utf8",
      });
      expect(stderr).toBe("");
      expect(status).toBe(0);
      expect(stdout.trim().split("\n").length).toBeGreaterThan(2);
      expect(stdout).toContain(PRINTED[file] ?? "");
    },
    120_000,
  );
});
