import { readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.js";
import { expectSelfContained, openPage } from "../support/page.js";
import { runProgram } from "../support/program.js";

const out = path.join(temporaryFolder(), "explored");
const WORDS = [
  ...["explore", "a cartoon character", "--seeds", "0-9", "--mode", "distilled,hybrid", "--size", "32"],
  ...["--directions", "2", "--out", out, "--quiet"],
];

const variegate = (...args: string[]) => runProgram(args);

describe("explore", { timeout: 240_000 }, () => {
  it("writes images, numbers and a page, and goes on where it was interrupted", async () => {
    const { status, stdout, stderr } = await variegate(...WORDS);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/Of the 2 main directions of the distilled model's images, the hybrid images keep/);
    expect(readdirSync(out).sort()).toEqual(["distilled", "events.jsonl", "explore.html", "explore.json", "hybrid"]);
    const page = openPage(path.join(out, "explore.html"));
    expectSelfContained(page);
    // Two directions of two models, seven images each.
    expect(page.images()).toHaveLength(28);
    const numbers = readFileSync(path.join(out, "explore.json"), "utf8");
    expect(JSON.parse(numbers)).toMatchObject({ reference: "distilled", features: "clip", found: [0, 2, 4, 6, 8] });
    rmSync(path.join(out, "hybrid", "3.png"));
    rmSync(path.join(out, "explore.json"));
    expect((await variegate(...WORDS, "--resume")).status).toBe(0);
    expect(readdirSync(path.join(out, "hybrid"))).toHaveLength(10);
    expect(JSON.parse(readFileSync(path.join(out, "explore.json"), "utf8"))).toMatchObject({
      directions: JSON.parse(numbers).directions,
    });
  });

  it("says in one line what it cannot do", async () => {
    const few = await variegate("explore", "a", "--seeds", "0-3");
    expect(few.status).toBe(2);
    expect(few.stderr).toContain("explore has 4 seeds and needs 10 or more");
    expect((await variegate("explore", "a", "--directions", "0")).stderr).toContain("a whole number from 1 to 16");
  });
});
