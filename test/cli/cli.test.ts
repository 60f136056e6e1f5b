import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { createProgram } from "../../src/cli/main.js";
import { chromiumPath } from "../../src/inspect/index.js";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));
const BASE = fileURLToPath(new URL("../../embedded/base", import.meta.url));

const variegate = (...args: string[]) => runProgram(args);

/** The embedded base with one part of its own, all else linked. */
function baseWith(part: string, change: (folder: string) => void): string {
  const folder = path.join(temporaryFolder(), "base");
  mkdirSync(folder);
  for (const name of readdirSync(BASE)) {
    if (name === part) cpSync(path.join(BASE, name), path.join(folder, name), { recursive: true });
    else symlinkSync(path.join(BASE, name), path.join(folder, name));
  }
  change(path.join(folder, part));
  return folder;
}

const edit = (file: string, change: (config: Record<string, unknown>) => unknown) =>
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, "utf8")))));

describe("plan --as diffusers", { timeout: 240_000 }, () => {
  it("loads a LoRA as one, whatever its file is called", async () => {
    const { status, stdout } = await variegate("plan", "a fox", "--pair", "embedded-lora", "--as", "diffusers");
    expect(status).toBe(0);
    expect(stdout).toContain("pipe.load_lora_weights(");
    expect(stdout).not.toContain("load_state_dict");
  });
  it("says on stderr that the schedule is a guess", async () => {
    const unet = path.join(temporaryFolder(), "mine");
    cpSync(path.join(BASE, "../distilled/unet"), unet, { recursive: true });
    const words = ["plan", "a fox", "--base", "embedded:base", "--distilled", unet, "--as", "diffusers"];
    const { status, stdout, stderr } = await variegate(...words);
    expect(stderr).toMatch(/no schedule is known for .*mine: .*a guess\. --pair .*--scheduler/);
    expect(status).toBe(0);
    expect(stdout).toContain("import torch");
  });
});

describe("plan --as comfyui", { timeout: 240_000 }, () => {
  const asked = ["plan", "a fox", "--pair", "sdxl-dmd2", "--as", "comfyui"];

  it("prints a workflow, and on stderr the models that ComfyUI has to have", async () => {
    const { status, stdout, stderr } = await variegate(...asked);
    expect(status).toBe(0);
    const nodes: { class_type: string }[] = Object.values(JSON.parse(stdout));
    expect(nodes.filter(({ class_type }) => class_type === "KSamplerAdvanced")).toHaveLength(2);
    expect(stderr).toContain(
      "ComfyUI loads models/diffusion_models/dmd2_sdxl_4step_unet_fp16.bin: tianweiy/DMD2/dmd2_sdxl_4step_unet_fp16.bin",
    );
    const event = JSON.parse((await variegate(...asked, "--json")).stdout);
    expect(event).toMatchObject({ type: "workflow", workflow: JSON.parse(stdout) });
    expect(event.files).toHaveLength(2);
  });

  it("refuses A1111 and unknown forms", async () => {
    const { status, stderr } = await variegate("plan", "a fox", "--as", "a1111");
    expect(status).toBe(2);
    expect(stderr).toMatch(/--as a1111 is not supported; use --as comfyui or --as diffusers/);
    expect((await variegate("plan", "a fox", "--as", "yaml")).stderr).toMatch(/table.*diffusers.*comfyui/);
  });
});

describe("help", () => {
  const commandsIn = (command: Command): Command[] => [command, ...command.commands.flatMap(commandsIn)];

  it("of every command begins with two examples", async () => {
    const commands = commandsIn(await createProgram());
    expect(commands.length).toBeGreaterThan(15);
    for (const command of commands) {
      let text = "";
      command.configureOutput({
        writeOut: (part) => {
          text += part;
        },
      });
      command.outputHelp();
      expect(text, command.name()).toMatch(/^Examples:\n {2}variegate .*\n {2}variegate /);
    }
  });

  it.each([
    ["generate", "0"],
    ["compare", "0-7"],
    ["trace", "0-3"],
    ["slide", "0-3"],
  ])("of %s states its default seeds", async (name, seeds) => {
    const command = (await createProgram()).commands.find((c) => c.name() === name);
    expect(command?.options.find((o) => o.long === "--seeds")?.description).toContain(`(default: ${seeds})`);
  });
});

describe("plan", { timeout: 240_000 }, () => {
  it("prints the rows of the default hybrid, and where its settings come from", async () => {
    const { stdout, status } = await variegate("plan");
    expect(status).toBe(0);
    const [rows = "", settings = ""] = stdout.split("\n\n");
    expect(settings).toMatch(/^distilled: timesteps +999 749 499 249 +pair embedded$/m);
    expect(
      rows
        .split("\n")
        .filter((line) => /^ *\d/.test(line))
        .map((line) => line.split(/\s+/).filter(Boolean).slice(1, 3)),
    ).toEqual([
      ["base", "999"],
      ["distilled", "749"],
      ["distilled", "499"],
      ["distilled", "249"],
    ]);
  });

  it("shows where fresh noise closes the gap between two grids", async () => {
    const { stdout } = await variegate(
      "plan",
      "--base-scheduler",
      "DDIMScheduler",
      "--base-steps",
      "8",
      "--base-spacing",
      "leading",
      "--json",
    );
    const plan = JSON.parse(stdout) as { rows: { kind: string; from: { t: number }; to: { t: number } }[] };
    expect(plan.rows.map((r) => r.kind)).toEqual(["step", "step", "renoise", "step", "step", "step"]);
    for (const [i, row] of plan.rows.entries()) if (i > 0) expect(row.from.t).toBe(plan.rows[i - 1]?.to.t);
  });
});

describe("generate", { timeout: 240_000 }, () => {
  it("writes pictures that say how they were made, latents, and a run that goes on where it stopped", async () => {
    const out = path.join(temporaryFolder(), "run");
    const words = [
      "generate",
      "a café 🙂",
      "a crown",
      "--seeds",
      "1,3",
      "--size",
      "64x80",
      "--save-latents",
      "--out",
      out,
    ];
    const first = await variegate(...words, "--quiet");
    expect(first.stderr).toBe("");
    expect(first.status).toBe(0);
    expect(readdirSync(out).sort()).toEqual(
      ["0-1", "0-3", "1-1", "1-3"]
        .flatMap((n) => [`${n}.png`, `${n}.safetensors`])
        .concat("events.jsonl", "run.json")
        .sort(),
    );
    const png = sharp(path.join(out, "0-1.png"));
    const { width, height, comments } = await png.metadata();
    expect([width, height]).toEqual([64, 80]);
    const made = JSON.parse(comments?.find((c) => c.keyword === "variegate")?.text ?? "{}");
    expect(made).toMatchObject({ prompt: "a café 🙂", seed: 1 });
    expect(made.plan.rows.length).toBe(4);
    const run = JSON.parse(readFileSync(path.join(out, "run.json"), "utf8"));
    expect(run.settings.distilled.scheduler).toEqual({ value: "LCMScheduler", from: "pair", pair: "embedded" });
    expect(run.files.map((f: { file: string }) => f.file)).toContain("1-3.png");
    const pixels = () => sharp(path.join(out, "1-3.png")).raw().toBuffer();
    const before = await pixels();

    rmSync(path.join(out, "1-3.png"));
    const lines = readFileSync(path.join(out, "events.jsonl"), "utf8").split("\n");
    writeFileSync(
      path.join(out, "events.jsonl"),
      `${lines.filter((l) => !l.includes('"1-3.png"') && !l.includes('"done"')).join("\n")}{"type":"ima`,
    );
    expect((await variegate(...words, "--quiet")).status).toBe(2);
    const again = await variegate(...words, "--quiet", "--resume");
    expect(again.stderr).toBe("");
    expect(again.status).toBe(0);
    // Alone instead of in a batch: some processors add up in another order, which may move a pixel by 1.
    const after = await pixels();
    expect(Math.max(...after.map((v, i) => Math.abs(v - (before[i] ?? 999))))).toBeLessThanOrEqual(1);
  }, 240_000);

  it("gives events as JSON lines and nothing else on stdout", async () => {
    const out = path.join(temporaryFolder(), "run");
    const { stdout, status } = await variegate("generate", "x", "--mode", "distilled", "--json", "--out", out);
    expect(status).toBe(0);
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string });
    expect(events.filter((e) => e.type === "step").length).toBe(4);
    expect(events.at(-1)).toMatchObject({ type: "run", out });
  });

  it("stops at Ctrl-C with whole files only", async () => {
    const out = path.join(temporaryFolder(), "run");
    const child = spawn(process.execPath, [
      BIN,
      "generate",
      "x",
      "--mode",
      "base",
      "--seeds",
      "0-999",
      "--batch",
      "2",
      "--out",
      out,
      "--json",
    ]);
    let text = "";
    child.stdout.on("data", (data) => {
      text += String(data);
      if (text.includes('"type":"image"')) child.kill("SIGINT");
    });
    const errors: string[] = [];
    child.stderr.on("data", (data) => errors.push(String(data)));
    const code = await new Promise((resolve) => child.on("exit", resolve));
    expect(code).toBe(130);
    expect(errors.join("")).toMatch(/^interrupted/m);
    const names = readdirSync(out);
    expect(names.filter((n) => n.includes("partial"))).toEqual([]);
    for (const name of names.filter((n) => n.endsWith(".png")))
      expect((await sharp(path.join(out, name)).metadata()).width).toBe(64);
  }, 240_000);
});

describe("models check and doctor", { timeout: 240_000 }, () => {
  it("checks the embedded base", async () => {
    const { stdout, status } = await variegate("models", "check", "embedded:base", "--json");
    expect(status).toBe(0);
    const report = JSON.parse(stdout) as { components: { name: string; unused: string[] }[] };
    expect(report.components.map((c) => c.name).sort((a, b) => a.localeCompare(b))).toEqual([
      "text_encoder",
      "text_encoder_2",
      "unet",
      "vae",
    ]);
    expect(report.components.flatMap((c) => c.unused)).toEqual([]);
  });
  it("says what runs, without the warnings of drivers and without advice to run it", async () => {
    const { stdout, stderr, status } = await variegate("doctor", "--json");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).not.toContain("see variegate doctor");
    const { devices, chromium } = JSON.parse(stdout);
    expect(devices[0]).toMatchObject({ device: "cpu", runs: true });
    expect(chromium).toBe(chromiumPath());
  });
  it("says which machines a pair fits, before anything is downloaded", async () => {
    const { stdout, status } = await variegate("doctor", "--pair", "zimage-turbo");
    const rows = stdout.split("\n").map((line) => line.trim().split(/\s{2,}/));
    expect(status).toBe(0);
    expect(rows.find(([title]) => title === "none")?.slice(4)).toEqual(["no", "no", "no", "no"]);
    expect(rows.find(([title]) => title === "sequential")?.slice(4)).toEqual(["no", "no", "yes", "yes"]);
    const { needs } = JSON.parse((await variegate("doctor", "--pair", "klein-4b", "--json")).stdout);
    expect(needs.at(-1)).toMatchObject({ offload: "sequential", machines: [16, 24, 32] });
  });
});

describe("bad input ends in a line or two and the right exit code", { timeout: 240_000 }, () => {
  const weights = (folder: string) => path.join(folder, "diffusion_pytorch_model.safetensors");
  it.each<[string, number, RegExp, string[]]>([
    ["an unknown command", 2, /unknown command 'compar'.*\n.*Did you mean compare/, ["compar"]],
    ["an unknown option", 2, /unknown option '--step'/, ["generate", "x", "--step", "3"]],
    ["an option without effect in doctor", 2, /unknown option '--lora'/, ["doctor", "--lora", "x.safetensors"]],
    ["a mode of compare", 2, /unknown option '--mode'\n\(compare runs all modes/, ["compare", "x", "--mode", "base"]],
    [
      "a record that is not there",
      3,
      /^nowhere\.json: there is no such file\n$/,
      ["generate", "--from", "nowhere.json"],
    ],
    ["no prompt", 2, /generate needs a prompt/, ["generate"]],
    ["steps 0", 2, /--steps .*'0'.*at least 1/, ["generate", "x", "--steps", "0"]],
    [
      "a switch beyond the steps",
      2,
      /switch is 9; expected an integer from 0 to 4/,
      ["generate", "x", "--switch", "9"],
    ],
    ["a ratio that leaves no row", 2, /ratio 1:4 leaves no row of 4/, ["plan", "--ratio", "1:4"]],
    ["a ratio that divides nothing", 2, /1\.33 base steps/, ["plan", "--ratio", "1:3"]],
    [
      "a run to continue and to replace",
      2,
      /'--force' cannot be used with option '--resume'/,
      ["trace", "--resume", "--force"],
    ],
    ["more rows left out than there are", 2, /skip is 4 of 4 steps; expected .* 0 to 3/, ["plan", "--skip", "4"]],
    ["rows and a switch", 2, /cannot be used with/, ["plan", "--base-rows", "1", "--switch", "1"]],
    ["a seed that is no number", 2, /--seeds .*'a'.*list of seeds/, ["generate", "x", "--seeds", "a"]],
    [
      "a size that does not divide",
      2,
      /width 63 is not a multiple of 4.*the nearest is 64/,
      ["generate", "x", "--size", "63x64"],
    ],
    ["timesteps that climb", 2, /decrease/, ["plan", "--timesteps", "249,999"]],
    [
      "an unknown scheduler",
      2,
      /FooScheduler is not known; the nearest are \w+/,
      ["plan", "--scheduler", "FooScheduler"],
    ],
    [
      "a pair where one model is checked",
      2,
      /sdxl-dmd2: is a named pair, and `models check` takes one model; those of the pair are stabilityai\/.* and tianweiy\//,
      ["models", "check", "sdxl-dmd2"],
    ],
    [
      "an unknown pair",
      2,
      /--pair nope: no such pair; the nearest are .*`variegate models list` shows all/,
      ["plan", "--pair", "nope"],
    ],
    ["a folder that is not there", 3, /there is no such file or folder/, ["generate", "x", "--base", "/no/where"]],
    ["a folder that cannot be made", 3, /the folder cannot be made/, ["generate", "x", "--out", "/dev/null/x"]],
  ])("%s", async (_, code, message, words) => {
    const { status, stderr, stdout } = await variegate(...words);
    expect(stderr).toMatch(message);
    expect(status).toBe(code);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });

  it.each<[string, RegExp, string, (folder: string) => void]>([
    [
      "a config that is not JSON",
      /unet.config\.json: is not JSON/,
      "unet",
      (f) => writeFileSync(path.join(f, "config.json"), "{ nope"),
    ],
    [
      "an unsupported config value",
      /class_embed_type = "timestep" is not supported; supported: null/,
      "unet",
      (f) => edit(path.join(f, "config.json"), (c) => ({ ...c, class_embed_type: "timestep" })),
    ],
    [
      "an unknown block",
      /down_block_types = .* is not supported; supported: CrossAttnDownBlock2D, DownBlock2D/,
      "unet",
      (f) =>
        edit(path.join(f, "config.json"), (c) => ({
          ...c,
          down_block_types: ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D"],
        })),
    ],
    [
      "an unknown scheduler class",
      /_class_name = "IPNDMScheduler" is not supported; supported: DDIMScheduler/,
      "scheduler",
      (f) => edit(path.join(f, "scheduler_config.json"), (c) => ({ ...c, _class_name: "IPNDMScheduler" })),
    ],
    [
      "weights cut short",
      /is cut short: .* fetch it again/,
      "unet",
      (f) => writeFileSync(weights(f), readFileSync(weights(f)).subarray(0, 5_000_000)),
    ],
    [
      "a tensor of another shape",
      /time_embedding\.linear_1\.weight in .* is \[192, 48\]; the config asks for \[128, 32\]/,
      "unet",
      (f) => edit(path.join(f, "config.json"), (c) => ({ ...c, block_out_channels: [32, 64, 96] })),
    ],
    [
      "a missing tensor",
      /time_embedding\.linear_1\.weight is missing from .*; the config asks for it/,
      "unet",
      (f) => writeFileSync(weights(f), safetensors({})),
    ],
    ["a component that is missing", /model_index\.json|vae is missing/, "vae", (f) => rmSync(f, { recursive: true })],
  ])("%s", async (_, message, part, change) => {
    const base = baseWith(part, change);
    const out = path.join(temporaryFolder(), "run");
    const { status, stderr } = await variegate(
      "generate",
      "x",
      "--base",
      base,
      "--mode",
      "base",
      "--steps",
      "2",
      "--out",
      out,
      "--quiet",
    );
    expect(stderr).toMatch(message);
    expect(status).toBe(3);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
    expect(existsSync(out) ? readdirSync(out).filter((n) => n.endsWith(".png")) : []).toEqual([]);
  });
});
