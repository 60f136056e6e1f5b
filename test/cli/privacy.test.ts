/** Nothing leaves the machine, and nothing is written but what docs/privacy.md says. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.js";
import { straceProblem, traceNode } from "../support/strace.js";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));
const INDEX = new URL("../../dist/index.js", import.meta.url).href;
const PROMPT = "a cartoon character";

/** A user who has nothing yet. No variable of ours is passed on: in CI, ONNX Runtime records nothing anyway. */
function newUser() {
  const root = temporaryFolder();
  const folder = (name: string) => path.join(root, name);
  for (const name of ["home", "tmp"]) mkdirSync(folder(name));
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder("home"),
    USERPROFILE: folder("home"),
    LOCALAPPDATA: folder("home"),
    TMPDIR: folder("tmp"),
    TEMP: folder("tmp"),
    ...(process.env["SystemRoot"] && { SystemRoot: process.env["SystemRoot"] }),
  };
  return {
    root,
    env,
    out: folder("out"),
    run: (...args: string[]) => spawnSync(process.execPath, args, { encoding: "utf8", env, cwd: root }),
    /** Files outside of `out`. */
    files: () =>
      ["home", "tmp"].flatMap((name) =>
        readdirSync(folder(name), { recursive: true, withFileTypes: true })
          .filter((entry) => !entry.isDirectory())
          .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).replaceAll("\\", "/")),
      ),
  };
}

const SCRIPT = `
import { generate, openPair } from ${JSON.stringify(INDEX)};
const pair = await openPair();
for await (const event of generate(pair, { prompts: [${JSON.stringify(PROMPT)}], seeds: [3] })) if (event.type === "image") console.log("image");
await pair.close();
const { sharedObjects } = process.report.getReport();
console.log(JSON.stringify(sharedObjects));
`;

describe("files outside of --out", { timeout: 240_000 }, () => {
  it("generate writes none", () => {
    const user = newUser();
    const { status } = user.run(BIN, "generate", PROMPT, "--seeds", "3", "--save-latents", "--out", user.out);
    expect(status).toBe(0);
    expect(existsSync(path.join(user.out, "3.png"))).toBe(true);
    expect(user.files()).toEqual([]);
  });

  it("compare writes fontconfig's cache of the font for its labels", () => {
    const user = newUser();
    const { status } = user.run(BIN, "compare", PROMPT, "--seeds", "3", "--out", user.out);
    expect(status).toBe(0);
    for (const file of user.files()) expect(file).toMatch(/^home\/.*fontconfig\//);
  });

  it("int8 writes the quantised weights", () => {
    const user = newUser();
    const { status } = user.run(BIN, "generate", PROMPT, "--seeds", "3", "--compute", "int8", "--out", user.out);
    expect(status).toBe(0);
    expect(user.files()).not.toEqual([]);
    for (const file of user.files()) expect(file).toMatch(/^home\/.*variegate\/derived\/\w+\.safetensors$/);
  });

  it("an experiment's worker processes write none", () => {
    const user = newUser();
    const file = path.join(user.root, "mine.json");
    const rows = [{ name: "distilled", sampling: { mode: "distilled" } }];
    writeFileSync(
      file,
      JSON.stringify({ name: "mine", title: "Mine", prompts: [PROMPT], seeds: 2, rows, measures: ["calls"] }),
    );
    const { status } = user.run(BIN, "experiment", "run", file, "--workers", "2", "--out", user.out);
    expect(status).toBe(0);
    expect(user.files()).toEqual([]);
  });

  it("the library writes none, and loads no native code but ONNX Runtime and sharp", () => {
    const user = newUser();
    const script = path.join(user.root, "script.mjs");
    writeFileSync(script, SCRIPT);
    const { status, stdout, stderr } = user.run(script);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const [image, objects = "[]"] = stdout.split("\n");
    expect(image).toBe("image");
    const packages = [...objects.matchAll(/node_modules\/(@[\w.-]+\/[\w.-]+|[\w.-]+)/g)].map((m) => m[1] ?? "");
    expect(packages).toContain("onnxruntime-node");
    for (const name of packages) expect(name).toMatch(/^(onnxruntime-node|@img\/sharp-.*)$/);
    expect(user.files()).toEqual([]);
  });
});

describe("system calls", { timeout: 240_000 }, () => {
  const problem = process.platform === "linux" ? straceProblem() : "strace is for Linux";

  it("a file and an address outside are seen", ({ skip }) => {
    skip(problem !== null, problem ?? "");
    const user = newUser();
    const file = path.join(user.root, "file");
    // Connecting a UDP socket sends nothing.
    const script = `require("fs").writeFileSync(${JSON.stringify(file)}, ""); require("dgram").createSocket("udp4").connect(9, "192.0.2.1", function () { this.close(); })`;
    const { status, written, contacted } = traceNode(["-e", script], user.env);
    expect(status).toBe(0);
    expect(written).toEqual([file]);
    expect(contacted).toEqual(["192.0.2.1"]);
  });

  it.for([
    { command: "generate", caches: null },
    { command: "compare", caches: "fontconfig" },
  ])("$command contacts no address and writes to --out and its cache only", ({ command, caches }, { skip }) => {
    skip(problem !== null, problem ?? "");
    const user = newUser();
    const { status, written, contacted } = traceNode(
      [BIN, command, PROMPT, "--seeds", "3", "--out", user.out],
      user.env,
    );
    expect(status).toBe(0);
    expect(contacted).toEqual([]);
    expect(written).toContain(path.join(user.out, "run.json"));
    const cache = path.join(user.env.HOME, ".cache");
    const allowed = (file: string) =>
      file.startsWith(user.out) || (caches && (file === cache || file.startsWith(path.join(cache, caches))));
    expect(written.filter((file) => !allowed(file))).toEqual([]);
  });
});
