import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_CLIP } from "../../src/catalogue/index.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { fetchReference, hubSettings } from "../../src/hub/index.js";
import { openPair } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";
import { filesOf, sha256, startHub } from "../support/hub.js";
import { runProgram, spawnProgram } from "../support/program.js";

const embedded = (name: string) => filesOf(new URL(`../../embedded/${name}`, import.meta.url));
const base = embedded("base");
const UNET = "unet/diffusion_pytorch_model.safetensors";
const adapters = embedded("adapters");
const more = {
  "README.md": Buffer.from("# Tiny"),
  "safety_checker/model.safetensors": Buffer.alloc(1000),
  "unet/diffusion_pytorch_model.bin": Buffer.alloc(1000),
  "unet/diffusion_flax_model.msgpack": Buffer.alloc(1000),
};
const hub = await startHub({
  "tiny/base": { revisions: { main: { ...base, ...more } } },
  "tiny/distilled": { revisions: { main: embedded("distilled") } },
  "stabilityai/stable-diffusion-xl-base-1.0": { revisions: { main: base } },
  "stabilityai/sdxl-turbo": { revisions: { main: { ...base, ...embedded("distilled") } } },
  "tiny/lora": {
    revisions: { main: { "pytorch_lora_weights.safetensors": adapters["distilled.safetensors"] ?? Buffer.alloc(0) } },
  },
  "tiny/sliders": { revisions: { main: embedded("sliders") } },
  [DEFAULT_CLIP]: { revisions: { main: embedded("clip") } },
  "tiny/clip": { revisions: { main: embedded("clip") } },
  "tiny/weights": { revisions: { main: { "model.safetensors": base[UNET] ?? Buffer.alloc(0) } } },
});
afterAll(() => hub.close());
beforeEach(() => hub.reset());

const home = temporaryFolder();

type Env = Readonly<Record<string, string>>;
const toHub = (env: Env) => ({ HF_HOME: home, HF_HUB_CACHE: "", HF_ENDPOINT: hub.endpoint, HF_TOKEN: "", ...env });
/** The command line in another process: the server answers in this one. */
const variegate = (words: readonly string[], env: Env = {}) => runProgram(words, toHub(env));
/** The same in a process that starts now, and so at the same time as others. */
const started = (words: readonly string[], env: Env, during?: (kill: () => void) => void) =>
  spawnProgram(words, toHub(env), during);
const lines = (stdout: string): Record<string, unknown>[] =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
/** The same without a process. */
const pulled = (ref: string, home: string): Promise<string> =>
  fetchReference({ id: ref, revision: "main", path: "" }, "model", {
    settings: hubSettings({ HF_HOME: home, HF_ENDPOINT: hub.endpoint }),
  });
const inStore = () => hub.asked.filter((a) => a.at === "store");

describe("models pull", { timeout: 240_000 }, () => {
  it("says what it would fetch, and fetches nothing with --dry-run", async () => {
    const { status, stdout } = await variegate(["models", "pull", "tiny/base", "--dry-run", "--json"]);
    expect(status).toBe(0);
    const [plan, ...rest] = lines(stdout);
    expect(rest).toEqual([]);
    const needed = Object.values(base).reduce((n, bytes) => n + bytes.length, 0);
    expect(plan).toMatchObject({ type: "fetch-plan", repository: "tiny/base", bytes: needed, missing: needed });
    expect(existsSync(path.join(home, "hub"))).toBe(false);
    expect(inStore()).toEqual([]);
  });

  it("takes both models and the CLIP of a named pair", async () => {
    const { status, stdout } = await variegate(["models", "pull", "--pair", "sdxl-turbo", "--dry-run", "--json"]);
    expect(status).toBe(0);
    const files = lines(stdout).map((e) => [e["repository"], (e["files"] as { path: string }[]).map((f) => f.path)]);
    expect(files).toEqual([
      ["stabilityai/stable-diffusion-xl-base-1.0", expect.arrayContaining(["model_index.json", "unet/config.json"])],
      ["stabilityai/sdxl-turbo", ["unet/config.json", "unet/diffusion_pytorch_model.safetensors"]],
      [DEFAULT_CLIP, expect.arrayContaining(["config.json", "model.safetensors"])],
    ]);
  });

  it("prints the plan, fetches, and prints where it is", async () => {
    const { status, stdout, stderr } = await variegate(["models", "pull", "tiny/lora"]);
    expect(stderr).toMatch(/^downloading tiny\/lora \(commit [0-9a-f]{7}\): 1 file, 1\.6 MB, into /);
    expect(status).toBe(0);
    expect(stdout).toMatch(/pytorch_lora_weights\.safetensors\s+1\.6 MB\n1 file, 1\.6 MB; 1\.6 MB to download into /);
    expect(statSync(stdout.trim().split("\n").at(-1) ?? "").size).toBe(adapters["distilled.safetensors"]?.length);
    const again = await variegate(["models", "pull", "tiny/lora"]);
    expect(again.stdout).toMatch(
      /pytorch_lora_weights\.safetensors\s+1\.6 MB\s+yes\n1 file, 1\.6 MB; all of it is cached/,
    );
    expect(again.stderr).toBe("");
  });

  it("by two processes at once fetches once", async () => {
    hub.mischief = (a) => (a.at === "store" ? { slow: 150 } : undefined);
    const env = { HF_HOME: temporaryFolder() };
    const both = await Promise.all([1, 2].map(() => started(["models", "pull", "tiny/weights", "--json"], env)));
    expect(both.map((p) => p.status)).toEqual([0, 0]);
    expect(inStore()).toHaveLength(1);
    const places = both.map((p) => lines(p.stdout).find((e) => e["type"] === "pulled")?.["path"]);
    expect(places[0]).toBe(places[1]);
    expect(sha256(readFileSync(String(places[0])))).toBe(sha256(base[UNET] ?? Buffer.alloc(0)));
    expect(both.filter((p) => /another process is downloading model\.safetensors/.test(p.stderr))).toHaveLength(1);
  });

  it("goes on after Ctrl-C where it was", async () => {
    hub.mischief = (a) => (a.at === "store" ? { slow: 300 } : undefined);
    const env = { HF_HOME: temporaryFolder() };
    const blobs = path.join(env.HF_HOME, "hub", "models--tiny--weights", "blobs");
    const kept = () => {
      const [name] = existsSync(blobs) ? readdirSync(blobs) : [];
      return name ? statSync(path.join(blobs, name)).size : 0;
    };
    const { status, stderr } = await started(["models", "pull", "tiny/weights"], env, (kill) => {
      const timer = setInterval(() => {
        if (kept() === 0) return;
        clearInterval(timer);
        kill();
      }, 20);
    });
    expect(stderr).toMatch(/interrupted.*\n$/);
    expect(status).toBe(130);
    const there = kept();
    expect(there).toBeGreaterThan(0);
    hub.reset();
    expect((await variegate(["models", "pull", "tiny/weights"], env)).status).toBe(0);
    expect(inStore().map((a) => a.range)).toEqual([`bytes=${there}-`]);
  });

  it.each<[string, string[], number, RegExp]>([
    ["nothing", [], 2, /REF or --pair NAME/],
    ["an ambiguous repository", ["tiny/sliders"], 3, /several weight files.*smile\.base\.safetensors/],
  ])("%s is refused", async (_, words, code, message) => {
    const { status, stdout, stderr } = await variegate(["models", "pull", ...words]);
    expect(stderr).toMatch(message);
    expect(stdout).toBe("");
    expect(status).toBe(code);
  });
});

describe("models list --cached and models remove", { timeout: 240_000 }, () => {
  it("show what is there, and take it away", async () => {
    const env = { HF_HOME: temporaryFolder() };
    await pulled("tiny/lora", env.HF_HOME);
    const listed = await variegate(["models", "list", "--cached"], env);
    expect(listed.stdout).toMatch(/tiny\/lora\s+[0-9a-f]{7}\s+main\s+1\s+1\.6 MB\s+1\.6 MB\s+\d{4}-\d\d-\d\d\n/);
    expect(listed.stdout).toMatch(/1 repository, 1\.6 MB, in /);
    const planned = await variegate(["models", "remove", "tiny/lora", "--dry-run"], env);
    expect(planned.stdout).toBe("tiny/lora: 1.6 MB would be freed\n");
    const [removed] = lines((await variegate(["models", "remove", "tiny/lora", "--json"], env)).stdout);
    expect(removed).toMatchObject({ type: "removed", freed: adapters["distilled.safetensors"]?.length });
    expect(readdirSync(path.join(env.HF_HOME, "hub"))).toEqual([".locks"]);
  });
});

describe("models list", { timeout: 240_000 }, () => {
  it("shows the named pairs, whatever trees the environment names for other commands", async () => {
    const { status, stdout } = await variegate(["models", "list"], { VARIEGATE_COMFY: "/nowhere" });
    expect(status).toBe(0);
    expect(stdout).toContain("sdxl-dmd2");
  });
});

describe("a model from the Hub", { timeout: 240_000 }, () => {
  const request: GenerateRequest = {
    prompts: ["a blue cartoon character"],
    scheduler: "LCMScheduler",
    timesteps: [999, 749, 499, 249],
    handoff: "schedule",
    seeds: [3],
  };
  const pictures = async (models: Parameters<typeof openPair>[0]) => {
    const pair = await openPair(models, { threads: 1 });
    try {
      const found: number[][] = [];
      for await (const e of generate(pair, { ...request })) if (e.type === "image") found.push([...e.image.data]);
      const weights = await pair.base.weights();
      const files = new Set([...weights.weights.values()].flatMap((w) => w.bytes.source.path ?? []));
      return { found, files: [...files] };
    } finally {
      await pair.close();
    }
  };

  it("is fetched on first use, mapped where it lies, and generates the same", async () => {
    const words = ["generate", "a blue cartoon character", "--base", "tiny/base", "--distilled", "tiny/distilled:unet"];
    // The repository is not recognised as the embedded pair, whose schedule and hand-off are therefore given.
    const schedule = ["--scheduler", "LCMScheduler", "--timesteps", "999,749,499,249", "--handoff", "schedule"];
    const rest = ["--lora", "tiny/sliders/smile.base.safetensors:1.5", ...schedule, "--seeds", "3", "--json"];
    const out = path.join(temporaryFolder(), "out");
    const own = path.join(temporaryFolder(), "own");
    const here = ["--base", "embedded:base", "--distilled", "embedded:distilled", "--lora", "smile.base:1.5"];
    const [{ status, stdout, stderr }] = await Promise.all([
      variegate([...words, ...rest, "--out", out]),
      variegate(["generate", "a blue cartoon character", ...here, ...rest.slice(2), "--out", own]),
    ]);
    expect(stderr).toContain("downloading tiny/base");
    expect(status).toBe(0);
    const plans = lines(stdout).filter((e) => e["type"] === "fetch-plan");
    expect(plans.map((e) => e["repository"])).toHaveLength(3);
    const run = JSON.parse(readFileSync(path.join(out, "run.json"), "utf8"));
    const [base, distilled] = plans.map((e) => e["commit"]);
    expect(base).toMatch(/^[0-9a-f]{40}$/);
    expect(run.commits).toEqual({ base, distilled });
    const pixels = (folder: string) => sharp(path.join(folder, "3.png")).raw().toBuffer();
    expect((await pixels(out)).equals(await pixels(own))).toBe(true);
  });

  it("is had without a network afterwards, straight from the cache's blobs", async () => {
    Object.assign(process.env, { HF_HOME: home, HF_HUB_OFFLINE: "1", HF_ENDPOINT: hub.endpoint });
    try {
      for (const ref of ["tiny/base", "tiny/lora"]) await pulled(ref, home);
      hub.reset();
      const cached = await pictures({ base: "tiny/base", distilled: "tiny/lora" });
      const shipped = await pictures({ base: "embedded:base", distilled: "embedded:adapters/distilled.safetensors" });
      expect(cached.found).toEqual(shipped.found);
      expect(cached.found[0]?.length).toBe(64 * 64 * 3);
      const blob = path.join(home, "hub", "models--tiny--base", "blobs", sha256(base[UNET] ?? Buffer.alloc(0)));
      expect(cached.files.map((f) => realpathSync(f))).toEqual([realpathSync(blob)]);
      expect(cached.files).toEqual([realpathSync(blob)]);
      expect(hub.asked).toEqual([]);
    } finally {
      for (const name of ["HF_HOME", "HF_HUB_OFFLINE", "HF_ENDPOINT"]) delete process.env[name];
    }
  });

  it("can be looked into", async () => {
    const { status, stdout } = await variegate(["models", "check", "tiny/clip"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^tiny\/clip: a CLIPModel/);
    expect(stdout).toMatch(/^measure +CLIPModel /m);
  });

  it("that is neither a path nor on the Hub is said to be neither", async () => {
    const { status, stderr } = await variegate(["models", "check", "models/nowhere"]);
    expect(stderr).toMatch(/^models\/nowhere: there is no such file or folder; as a Hub id it is not on the Hub/);
    expect(status).toBe(3);
  });
});
