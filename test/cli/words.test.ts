import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));

const variegate = (...args: string[]) => runProgram(args);

const requestIn = (out: string): Record<string, unknown> =>
  JSON.parse(readFileSync(path.join(out, "run.json"), "utf8")).request;

describe("words of other tools", { timeout: 240_000 }, () => {
  it("are understood as the options that they mean", async () => {
    const out = path.join(temporaryFolder(), "run");
    const foreign = ["--cfg-scale", "3", "--negative-prompt", "a hat", "--sampler", "DDIMScheduler", "--seed", "5"];
    const more = ["-n", "2", "--width", "64", "--height", "48", "--num-inference-steps", "2", "-o", out];
    const { status, stderr } = await variegate("generate", "x", "--model", "embedded:base", ...foreign, ...more);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(requestIn(out)).toEqual({
      prompts: ["x"],
      guidance: 3,
      negative: "a hat",
      scheduler: "DDIMScheduler",
      seeds: [5, 6],
      size: { width: 64, height: 48 },
      steps: 2,
    });
    expect(JSON.parse(readFileSync(path.join(out, "run.json"), "utf8")).models).toEqual({ base: "embedded:base" });
  });

  it("take one number as a square", async () => {
    const out = path.join(temporaryFolder(), "run");
    expect((await variegate("generate", "x", "--size", "48", "--steps", "1", "--out", out)).status).toBe(0);
    expect(requestIn(out)).toMatchObject({ size: { width: 48, height: 48 } });
  });

  it("are listed by help in a line, and not among the options", async () => {
    const { stdout } = await variegate("generate", "--help");
    const [options = "", aliases = ""] = stdout.split("Also understood: ");
    expect(aliases.replace(/\s+/g, " ")).toContain("--cfg, --cfg-scale, --guidance-scale (--guidance)");
    expect(aliases.replace(/\s+/g, " ")).toContain("--width, --height (--size)");
    expect(options).not.toContain("--cfg");
    expect(options).toMatch(/-n, --count <n>/);
  });

  it.each([
    [["--karras"], "karras"],
    [["--schedule-type", "Karras"], "karras"],
    [["--sigmas", "SGM Uniform"], "sgm_uniform"],
    [["--schedule", "uniform"], "normal"],
  ])("take %j as the schedule type %s", async (words, type) => {
    const plan = (...more: readonly string[]) =>
      variegate("plan", "--mode", "base", "--steps", "5", "--scheduler", "euler", ...more);
    const { status, stdout, stderr } = await plan(...words);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toBe((await plan("--sigmas", type)).stdout);
    expect(stdout).not.toBe((await plan()).stdout);
  });

  it("are not taken for a schedule type that there is none of", async () => {
    const { status, stderr } = await variegate("plan", "--sigmas", "kl_optimal");
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /--sigmas.*kl_optimal.*karras, exponential, beta, sgm_uniform, simple, normal, ddim_uniform/,
    );
    expect((await variegate("plan", "--karras", "--sigmas", "beta")).status).toBe(2);
  });

  it.each([
    [
      "plan",
      ["--mode", "distilled", "--lora-base", "smile.base"],
      /the adapter smile\.base has no effect: the base model runs no step/,
    ],
    ["plan", ["--mode", "base", "--lora-distilled", "smile.base:2"], /has no effect: the distilled model runs no step/],
    ["plan", ["--lora-base", "smile.base", "--lora-distilled", "smile.base"], /^$/],
    [
      "trace",
      [
        "x",
        "--mode",
        "base,distilled",
        "--lora-base",
        "smile.base",
        "--steps",
        "1",
        "--full-steps",
        "1",
        "--seeds",
        "0",
      ],
      /^(?!.*smile)/s,
    ],
    [
      "slide",
      [
        "x",
        "--mode",
        "distilled",
        "--slider",
        "smile.base",
        "--lora-base",
        "smile.base",
        "--seeds",
        "0",
        "--scales",
        "1",
      ],
      /the adapter smile\.base has no effect: the base model runs no step of this plan/,
    ],
  ] as const)("%s with %j says which adapters no mode uses", async (command, words, said) => {
    const out = command === "plan" ? [] : ["--size", "64x48", "--out", path.join(temporaryFolder(), "run")];
    const { status, stderr } = await variegate(command, ...words, ...out);
    expect(status).toBe(0);
    expect(stderr).toMatch(said);
  });

  it("draws random seeds, prints and records them", async () => {
    const out = path.join(temporaryFolder(), "run");
    const words = ["generate", "x", "--steps", "1", "--mode", "distilled"];
    const { status, stderr } = await variegate(...words, "--random-seeds", "-n", "3", "--out", out);
    expect(status).toBe(0);
    const [, printed = ""] = /^random seeds: --seeds ([\d,]+) /m.exec(stderr) ?? [];
    const seeds = printed.split(",").map(Number);
    expect(new Set(seeds).size).toBe(3);
    expect(requestIn(out)).toMatchObject({ seeds });
    const again = path.join(temporaryFolder(), "run");
    expect((await variegate(...words, "--seeds", printed, "--out", again)).status).toBe(0);
    for (const seed of seeds) {
      expect(readFileSync(path.join(again, `${seed}.png`))).toEqual(readFileSync(path.join(out, `${seed}.png`)));
    }
  });

  it.each<[RegExp, string[]]>([
    [/--random-seeds and --seeds exclude each other/, ["--random-seeds", "--seeds", "3"]],
    [/--count 4 counts from one seed, and --seeds names 8/, ["-n", "4", "--seeds", "0-7"]],
    [/--resume needs the seeds/, ["--random-seeds", "--resume"]],
    [/--width needs --height beside it/, ["--width", "64"]],
    [/cannot be used with/, ["--width", "64", "--height", "64", "--size", "64"]],
    [/'7-3' is invalid\. A range of seeds rises: write 3-7/, ["--seeds", "7-3"]],
    [/These are 1000000 seeds; expected at most 100000/, ["--seeds", "1-1000000"]],
    [/--out .*'' is invalid.*the name of a folder/, ["--out", ""]],
    [/--model.*'' is invalid/, ["--model", ""]],
  ])("refuses with %s", async (message, words) => {
    const { status, stderr, stdout } = await variegate("generate", "x", ...words);
    expect(stderr).toMatch(message);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.trim().split("\n").length).toBe(1);
  });
});

describe("suggestions", { timeout: 240_000 }, () => {
  it.each<[string, RegExp, string[]]>([
    ["a misspelling", /Did you mean --steps\?/, ["generate", "x", "--stpes", "3"]],
    ["a misspelling with a value behind =", /Did you mean --seeds\?/, ["generate", "x", "--seds=3"]],
    [
      "a misspelt alias, with the option of help",
      /Did you mean --guidance-scale \(--guidance\)\?/,
      ["generate", "x", "--guidance-scal", "3"],
    ],
    ["the scale of a LoRA", /--lora FILE:0\.8/, ["generate", "x", "--lora-scale", "3"]],
    ["a picture", /images are no input/, ["generate", "x", "--init-image", "a.png"]],
    ["a model of a command without", /takes no model/, ["models", "remove", "--model", "a"]],
    ["a command of a group", /unknown command 'chek'\n\(Did you mean check\?\)/, ["models", "chek"]],
    ["a command of help", /unknown command 'generat'\n\(Did you mean generate\?\)/, ["help", "generat"]],
    ["a command of help in a group", /unknown command 'pul'\n\(Did you mean pull\?\)/, ["help", "models", "pul"]],
  ])("%s", async (_, message, words) => {
    const { status, stderr, stdout } = await variegate(...words);
    expect(stderr).toMatch(message);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.trim().split("\n").length).toBe(2);
  });

  it.each(["--wide", "--mofel-kind", "--guide", "--xyz", "--batches-of"])("proposes nothing for %s", async (option) => {
    const { stderr } = await variegate("generate", "x", option, "3");
    expect(stderr).toBe(`unknown option '${option}'\n(variegate generate --help lists them)\n`);
  });
});

describe("without a command", { timeout: 240_000 }, () => {
  it.each([[[]], [["models"]], [["help"]], [["help", "generate"]]])("%j prints help on stdout", async (words) => {
    const { status, stdout, stderr } = await variegate(...words);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^Examples:\n/);
  });
});

describe("help", { timeout: 240_000 }, () => {
  it("groups options, common ones first", async () => {
    const { stdout } = await variegate("generate", "--help");
    const headings = stdout.split("\n").filter((line) => /^\w.*:$/.test(line));
    expect(headings).toEqual([
      "Examples:",
      "Arguments:",
      "What to generate:",
      "How many:",
      "Sampler:",
      "Hybrid:",
      "Models:",
      "LoRAs, sliders and embeddings:",
      "Machine:",
      "Output:",
      "Options:",
    ]);
    expect(/Options:\n([^\n]*)/.exec(stdout)?.[1]).toMatch(/--help/);
  });
});

describe("a closed pipe", () => {
  it.each([
    ["generate", ["generate", "x", "--seeds", "0-63"], 20],
    ["compare", ["compare", "x", "--seeds", "0-7"], 2],
    ["trace", ["trace", "x", "--seeds", "0-3"], 2],
  ])(
    "ends %s silently",
    (_, words, times) => {
      for (let i = 0; i < times; i++) {
        const out = path.join(temporaryFolder(), "run");
        const command = `"$0" "$@" | head -1 > /dev/null; exit \${PIPESTATUS[0]}`;
        const { status, signal, stderr } = spawnSync(
          "bash",
          ["-c", command, process.execPath, BIN, ...words, "--json", "--quiet", "--out", out],
          { encoding: "utf8" },
        );
        expect({ status, signal, stderr }, `run ${i}`).toEqual({ status: 0, signal: null, stderr: "" });
        expect(readdirSync(out)).not.toContain("run.json");
      }
    },
    240_000,
  );
});

describe("folders", { timeout: 240_000 }, () => {
  it("refuses a file as the output folder", async () => {
    const file = path.join(temporaryFolder(), "afile");
    writeFileSync(file, "");
    for (const out of [file, path.join(file, "sub")]) {
      const { status, stderr } = await variegate("generate", "x", "--out", out);
      expect(stderr).toMatch(
        /: the folder cannot be made, because .*afile is not a folder \((EEXIST|ENOTDIR)\); choose another --out/,
      );
      expect(status).toBe(3);
    }
  });

  it.each(["--comfy", "--a1111"])(
    "refuses a folder for %s that is not there, also beside the default models",
    async (option) => {
      const folder = temporaryFolder();
      const { status, stderr } = await variegate("generate", "x", option, path.join(folder, "nowhere"));
      expect(stderr).toMatch(new RegExp(`${option} .*nowhere.* there is no such file or folder`));
      expect(status).toBe(2);
      mkdirSync(path.join(folder, "models"));
      expect((await variegate("plan", option, folder)).status).toBe(0);
    },
  );
});

describe("a memory budget that is too small", { timeout: 240_000 }, () => {
  it("is said to be so for one model at a time too", async () => {
    const out = path.join(temporaryFolder(), "run");
    const few = ["--memory-budget", "0.001", "--mode", "distilled", "--steps", "1", "--out", out];
    const { status, stderr } = await variegate("generate", "x", ...few);
    expect(stderr).toMatch(
      /one model is loaded at a time.*\n--offload sequential takes .* does not fit the memory budget either/,
    );
    expect(status).toBe(0);
  });
});

describe("diversity methods", { timeout: 240_000 }, () => {
  it("are listed with their settings, and refused in one line where they make no sense", async () => {
    expect((await variegate("methods")).stdout).toMatch(/^cads +conditioning +adds noise/m);
    expect((await variegate("methods", "cads")).stdout).toMatch(/^tau2 +0\.9 +0 to 1 +time above which/m);
    const lines = (await variegate("methods", "--json")).stdout.trim().split("\n");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ type: "method", name: "cads", acts: "conditioning" });
    const refused = async (...words: string[]) => {
      const { status, stderr } = await variegate("plan", ...words);
      expect([status, stderr.trim().split("\n").length]).toEqual([2, 1]);
      return stderr;
    };
    expect(await refused("--diversity", "cdas")).toContain("did you mean cads?");
    expect(await refused("--diversity", "cads:taus=1")).toContain("it has scale, tau1, tau2, mix");
    expect(await refused("--diversity", "cads", "--diversity", "cads:scale=1")).toContain("given twice");
    expect(await refused("x", "--diversity", "cads", "--as", "diffusers")).toContain("leave --diversity cads out");
  });
});
