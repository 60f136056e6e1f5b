import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { pairNamed } from "../../src/catalogue/index.js";
import { installedPairs } from "../../src/catalogue/node/packages.js";
import { FileError } from "../../src/errors.js";
import { temporaryFolder } from "../support/folder.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A project with a package of pairs under its node_modules: the embedded pair's models under another name. */
function project(change: object = {}): { folder: string; installed: string } {
  const folder = temporaryFolder();
  const installed = path.join(folder, "node_modules/@variegate/pair-emoji");
  mkdirSync(installed, { recursive: true });
  for (const part of ["base", "distilled", "clip", "judge", "world"])
    symlinkSync(path.join(root, "embedded", part), path.join(installed, part));
  const row = {
    name: "elsewhere",
    base: "./base",
    distilled: "./distilled",
    clip: "./clip",
    judge: "./judge",
    source: "./README.md",
    sampling: { distilled: { scheduler: "LCMScheduler", timesteps: [999, 499] } },
    trial: {
      prompts: "./world/prompts.csv",
      reference: "./world/real.safetensors",
      controls: [
        { name: "skin", ref: "./sliders/skin.safetensors", scale: 2, concept: "a person", reads: "tone=dark" },
      ],
      controlPrompts: ["a person"],
    },
    ...change,
  };
  writeFileSync(path.join(installed, "pairs.json"), JSON.stringify([row]));
  return { folder, installed };
}

describe("an installed package of pairs", () => {
  it("gives its rows, with paths into its folder and its defaults of experiments", async () => {
    const { folder, installed } = project();
    const rows = await installedPairs(path.join(folder, "a", "b"));
    expect(rows.filter((row) => row.name === "elsewhere")).toMatchObject([
      {
        base: path.join(installed, "base"),
        judge: path.join(installed, "judge"),
        source: path.join(installed, "README.md"),
        package: "@variegate/pair-emoji",
        trial: {
          prompts: path.join(installed, "world/prompts.csv"),
          controls: [{ name: "skin", ref: path.join(installed, "sliders/skin.safetensors"), scale: 2 }],
          controlPrompts: ["a person"],
        },
      },
    ]);
  });

  it("gives none where it is not installed", async () => {
    expect((await installedPairs(temporaryFolder())).map((row) => row.name)).not.toContain("elsewhere");
  });

  it("is named where its pair is asked for and it is not installed", () => {
    expect(() => pairNamed("emoji")).toThrow(
      "--pair emoji: is in the package @variegate/pair-emoji, which is not installed here. `npm install @variegate/pair-emoji` installs it",
    );
    expect(() => pairNamed("emojis")).toThrow(/no such pair/);
  });

  it("is refused with the field that is wrong", async () => {
    const { folder } = project({ trial: { prompts: "./world/prompts.csv" } });
    const error = await installedPairs(folder).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({ problem: expect.stringMatching(/0\.trial\.reference/) });
  });

  it("runs by its name from the project's folder", () => {
    const { folder } = project();
    const variegate = (...args: string[]) =>
      spawnSync(process.execPath, [path.join(root, "bin/variegate.js"), ...args], { cwd: folder, encoding: "utf8" });
    const plan = variegate("plan", "--pair", "elsewhere", "--json");
    expect(plan.stderr).toBe("");
    const rows: unknown = JSON.parse(plan.stdout);
    expect(rows).toMatchObject({ type: "plan", rows: [{ timestep: 999 }, { timestep: 499 }] });
  }, 240_000);
});
