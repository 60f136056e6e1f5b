import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const SCRIPT = fileURLToPath(new URL("../../scripts/kills.js", import.meta.url));

describe("after kill -9", { timeout: 240_000 }, () => {
  it.each([
    ["experiment", 1],
    ["generate", 2],
    ["compare", 2],
    ["slide", 2],
    ["download", 3],
    ["studio", 2],
  ])("%s goes on, and nothing is lost or counted twice", { timeout: 240_000 }, (name, kills) => {
    const words = [SCRIPT, "--kills", String(kills), "--seed", "3", "--only", name];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${name}: ${kills} kills`));
  });
});
