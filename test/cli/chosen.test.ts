import { readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";

const SMALL = ["--size", "64x48", "--steps", "3"];
const PROMPTS = ["a cartoon character", "a red cartoon character"];
const fresh = () => path.join(temporaryFolder(), "run");
const images = (dir: string) => readdirSync(dir).filter((name) => name.endsWith(".png"));

describe("--choose", { timeout: 180_000 }, () => {
  const out = fresh();
  const words = ["generate", ...PROMPTS, "--choose", "2/6", ...SMALL, "--out", out];

  it("writes the kept seeds, and a record that makes them again without the choice", async () => {
    const { status, stdout } = await runProgram([...words, "--json"]);
    expect(status).toBe(0);
    const kept = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter((e) => e.type === "chosen");
    const names = kept.flatMap((e) => e.seeds.map((seed: number) => `${e.prompt}-${seed}.png`));
    expect(images(out).sort()).toEqual([...names].sort());
    const run = JSON.parse(readFileSync(path.join(out, "run.json"), "utf8"));
    expect(run.request.choose).toBeUndefined();
    expect(run.request.samples).toHaveLength(4);
    expect(run.choice).toMatchObject({ keep: 2, of: 6, from: [0, 1, 2, 3, 4, 5] });
    expect(run.plan.rows.some((row: object) => "choice" in row)).toBe(false);

    const again = fresh();
    const repeated = await runProgram(["generate", "--from", path.join(out, "run.json"), "--out", again]);
    expect(repeated.status).toBe(0);
    expect(repeated.stderr).toMatch(/of 4 images equal the recorded ones/);
    expect(images(again)).toEqual(images(out));
    const [first = ""] = names;
    const one = fresh();
    expect((await runProgram(["generate", "--from", path.join(out, first), "--out", one])).status).toBe(0);
    expect(images(one)).toHaveLength(1);
  });

  it("goes on with the seeds that were chosen", async () => {
    const before = images(out);
    for (const name of before.slice(0, 1)) rmSync(path.join(out, name));
    const { status, stdout } = await runProgram([...words, "--resume", "--json"]);
    expect(status).toBe(0);
    expect(stdout).not.toContain('"chosen"');
    expect(images(out)).toEqual(before);
  });

  it("is a row of a comparison", async () => {
    const dir = fresh();
    const { status, stdout } = await runProgram(
      ["compare", PROMPTS[0] ?? "", "--choose", "2/4", "--steps", "2", "--out", dir].concat(["--all"]),
      { COLUMNS: "200" },
    );
    expect(status).toBe(0);
    // 4 calls of the first step and 2 of the second, for two images.
    expect(stdout).toMatch(/^chosen +3 /m);
    expect(["base", "distilled", "hybrid", "chosen"].map((row) => images(path.join(dir, row)).length)).toEqual([
      2, 2, 2, 2,
    ]);
  });

  it.each([
    [["generate", "x", "--choose", "8/4"], /8\/4.*such as "8\/32"/],
    [["generate", "x", "--choose", "4/16", "--seeds", "0-7"], /from 16 seeds, and 8 are given/],
    [["generate", "x", "--choose", "4/8", "--choose-prune", "1"], /above 0 and below 1/],
    [["generate", "x", "--choose", "4/8", "--choose-by", "dino"], /latents, clip/],
    [["plan", "--choose", "4/8", "--as", "diffusers"], /no choice of seeds/],
  ] as const)("refuses %j", async (args, message) => {
    const { status, stderr } = await runProgram(args);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });
});
