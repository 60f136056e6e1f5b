import { spawn } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { afterAll, describe, expect, it } from "vitest";
import { DEFAULT_CLIP } from "../../src/catalogue/index.js";
import { createProgram } from "../../src/cli/main.js";
import { temporaryFolder } from "../support/folder.js";
import { filesOf, startHub } from "../support/hub.js";

const at = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const embedded = (name: string) => filesOf(new URL(`../../embedded/${name}`, import.meta.url));

/** Repositories of the examples, with small models in place of theirs. */
const hub = await startHub({
  "stabilityai/stable-diffusion-xl-base-1.0": { revisions: { main: embedded("base") } },
  "tianweiy/DMD2": { revisions: { main: { "dmd2_sdxl_4step_unet_fp16.bin": Buffer.alloc(64) } } },
  "madebyollin/taesdxl": {
    revisions: { main: filesOf(new URL("../decode/fixtures/nan-in-weights", import.meta.url)) },
  },
  [DEFAULT_CLIP]: { revisions: { main: embedded("clip") } },
});
afterAll(() => hub.close());

const bin = temporaryFolder();
symlinkSync(at("bin/variegate.js"), path.join(bin, "variegate"));
const env = {
  ...process.env,
  ...{ PATH: [bin, path.dirname(process.execPath), process.env["PATH"]].join(path.delimiter), HF_HUB_CACHE: "" },
  ...{ HF_HOME: temporaryFolder(), HF_ENDPOINT: hub.endpoint, HF_TOKEN: "" },
};

/** Runs a line in a shell. A server is interrupted when it listens. */
function run(line: string, cwd: string): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn("bash", ["-c", `exec ${line}`], { env, cwd });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => {
      stdout += text;
      if (/^variegate studio/.test(line) && stdout.includes("http://")) child.kill("SIGINT");
    });
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}

/** Words of a shell line, up to a redirection. A folder of ComfyUI must be there. */
const wordsOf = (line: string): string[] =>
  [
    ...line
      .replace(/ > .*/, "")
      .replace("~/ComfyUI", bin)
      .matchAll(/"([^"]*)"|(\S+)/g),
  ].map(([, quoted, plain]) => quoted ?? plain ?? "");

const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();

const withSubcommands = (command: Command): Command[] => [command, ...command.commands.flatMap(withSubcommands)];

/** Help of a command as it is printed, with what stands before it. */
function helpOf(command: Command): string {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  command.configureOutput({ writeOut: write }).outputHelp();
  return text;
}

const examplesOf = (command: Command): string[] => {
  const [, block = ""] = /^Examples:\n((?: {2}.*\n)+)/.exec(helpOf(command)) ?? [];
  return block
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
};

/** Command lines of README, with lines that go on joined. */
const inReadme = readFileSync(at("README.md"), "utf8")
  .replaceAll(/ \\\n\s*/g, " ")
  .split("\n")
  .flatMap((line) => /^ {4}(?:node bin\/variegate\.js|variegate) (.*)/.exec(line)?.[1] ?? [])
  .map((rest) => `variegate ${rest}`);

/** Examples that take minutes, need a server, or differ from a shorter one in their numbers: they are parsed. */
const LONG =
  /--images|--watch|--scales|one eye" --seeds 0-3|train (slider|lora|distill|embedding)|redis:|^variegate (calibrate|worker)\b/;
const program = await createProgram();
const commands = withSubcommands(program).map((command) => ({
  name: pathOf(command),
  examples: examplesOf(command),
}));

/** Parses a line with all its options, and runs nothing. @throws CommanderError */
async function parse(line: string): Promise<string> {
  const program = await createProgram();
  let parsed = "";
  for (const command of withSubcommands(program)) {
    command.exitOverride();
    if (command.commands.length === 0)
      command.action(() => {
        parsed = pathOf(command);
      });
  }
  const [, ...words] = wordsOf(line);
  await program.parseAsync(words, { from: "user" });
  return parsed;
}

/** Examples work with the files of earlier ones; those that stand in several places run once. */
const folder = temporaryFolder();
const done = new Set<string>();

describe("examples of help", { timeout: 300_000 }, () => {
  it("are two or more for every command", () => {
    expect(commands.length).toBeGreaterThan(20);
    for (const { name, examples } of commands) {
      expect(examples.length, name).toBeGreaterThanOrEqual(2);
      for (const line of examples) expect(line).toMatch(/^variegate /);
    }
  });

  it.each(commands)("of $name work as they stand, in order", async ({ examples }) => {
    for (const line of examples) {
      expect(line).toMatch(new RegExp(`^${await parse(line)} ?`));
      if (LONG.test(line) || done.has(line)) continue;
      done.add(line);
      const { status, stdout, stderr } = await run(line, folder);
      expect({ line, status: status === 130 && line.startsWith("variegate studio") ? 0 : status, stderr }).toEqual({
        line,
        status: 0,
        stderr: expect.not.stringMatching(/error|unknown|invalid/i),
      });
      if (!line.includes(" > ")) expect(stdout).not.toBe("");
    }
  });

  it("stand in README with options that there are", async () => {
    expect(inReadme.length).toBeGreaterThan(12);
    for (const line of inReadme) expect(line).toMatch(new RegExp(`^${await parse(line)} ?`));
  });

  it("would be refused with a wrong option", async () => {
    await expect(parse("variegate generate x --no-such-option")).rejects.toThrow(/unknown option/);
    await expect(parse("variegate generate x --steps many")).rejects.toThrow(/invalid/);
  });
});
