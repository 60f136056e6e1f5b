import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_CLIP, PAIRS } from "../../src/catalogue/index.js";
import { temporaryFolder } from "../support/folder.js";
import { closedAddress, filesOf, startHub } from "../support/hub.js";
import { runProgram } from "../support/program.js";

const hub = await startHub({
  [DEFAULT_CLIP]: { revisions: { main: filesOf(new URL("../../embedded/clip", import.meta.url)) } },
});
afterAll(() => hub.close());
beforeEach(() => hub.reset());

/** A comparison in a process of its own, with a cache that only it has. */
const compare = (words: readonly string[], env: Record<string, string> = {}) =>
  runProgram(["compare", ...words], {
    ...{ HF_HOME: temporaryFolder(), HF_HUB_CACHE: "", HF_ENDPOINT: hub.endpoint, HF_TOKEN: "" },
    ...env,
  });
const fresh = () => path.join(temporaryFolder(), "run");
/** A UNet of one's own, which no row of the catalogue knows: the embedded one with another last weight. */
const own = path.join(temporaryFolder(), "unet");
cpSync(new URL("../../embedded/distilled/unet", import.meta.url), own, { recursive: true });
const weights = path.join(own, "diffusion_pytorch_model.safetensors");
const bytes = readFileSync(weights);
bytes.writeUInt8((bytes.at(-2) ?? 0) ^ 1, bytes.length - 2);
writeFileSync(weights, bytes);
const OWN = ["a cartoon character", "--base", "embedded:base", "--distilled", own, "--steps", "4"];
const FINDING = /^The four-step model (keeps|has) \d+ % of the base's variety.*; the hybrid (keeps|has) \d+ %/;

describe("compare", { timeout: 240_000 }, () => {
  const out = fresh();
  const words = ["a red cartoon character wearing a crown", "--seeds", "0-3", "--batch", "1", "--out", out];

  it("prints its finding, a table that fits, and how the model was made", async () => {
    const { stdout, status } = await compare(words, { COLUMNS: "80" });
    expect(status).toBe(0);
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(FINDING);
    expect(lines[1]).toMatch(/CLIP distance between the 4 images of the prompt.*fewer than 5 prompts/i);
    const table = stdout.split("\n\n")[1] ?? "";
    const rows = table.split("\n").filter((line) => /^(base|distilled|hybrid) /.test(line));
    expect(rows.map((row) => row.split(/\s+/).slice(0, 2))).toEqual([
      ["base", "50"],
      ["distilled", "4"],
      ["hybrid", "4"],
    ]);
    for (const row of rows) expect(row).toMatch(/ 0\.\d{3} +\d+\.\d$/);
    expect(table).toMatch(/higher/);
    expect(table).toMatch(/^left out: .*ms per image.*--all/m);
    for (const line of table.split("\n").slice(0, -1)) expect(line.length).toBeLessThanOrEqual(80);
    const [embedded] = PAIRS;
    expect(stdout).toContain(`\n\n${embedded?.note}\n\n`);
    // These prompts were not chosen by us.
    expect(stdout).not.toContain(embedded?.promptNote);
    expect(hub.asked).toEqual([]);
  });

  it("writes every picture, and a sheet with the cost and variety of each row", async () => {
    for (const mode of ["base", "distilled", "hybrid"]) expect(readdirSync(path.join(out, mode)).length).toBe(4);
    const { width = 0, height } = await sharp(path.join(out, "sheet.png")).metadata();
    expect(height).toBe(16 + 34 + 22 + 3 * 132 + 16);
    // Wider than the labels alone: the notes stand beside the images.
    expect(width).toBeGreaterThan(16 + 108 + 4 * 132 - 4 + 16);
  });

  it("goes on with the images that are there, and makes those that are missing or changed again", async () => {
    const names = ["base/0.png", "distilled/2.png", "hybrid/3.png", "sheet.png"];
    const before = names.map((name) => readFileSync(path.join(out, name)));
    writeFileSync(path.join(out, "distilled/2.png"), "spoilt");
    const { stdout, status } = await compare([...words, "--resume", "--json"]);
    expect(status).toBe(0);
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.filter((e) => e.type === "image").map((e) => [e.mode, e.seed])).toEqual([["distilled", 2]]);
    expect(names.map((name) => readFileSync(path.join(out, name)))).toEqual(before);
    const results = events.filter((e) => e.type === "result");
    expect(results.map((r) => [r.mode, r.callsPerImage, r.variety.measure])).toEqual([
      ["base", 50, "clip"],
      ["distilled", 4, "clip"],
      ["hybrid", 4, "clip"],
    ]);
    for (const { msPerImage } of results) expect(msPerImage).toBeGreaterThan(0);
    expect(JSON.parse(readFileSync(path.join(out, "run.json"), "utf8")).files.length).toBe(13);
  });

  it("refuses a folder that holds a run, naming --resume and --force", async () => {
    const { stderr, status } = await compare(words);
    expect(status).toBe(2);
    expect(stderr).toMatch(/already holds a run; --resume .*--force/);
  });

  it("says that one seed has no distance, and prints neither NaN nor an empty cell", async () => {
    const { stdout, status } = await compare(["a cartoon character", "--seeds", "0", "--all", "--out", fresh()]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Variety is not measured: one seed has no distance/);
    expect(stdout).not.toMatch(/NaN|–|0\.00|entropy/);
    expect(stdout).toMatch(/CLIP score/);
  });
});

describe("compare of one's own models", { timeout: 240_000 }, () => {
  it("fetches a small CLIP once where there is none", async () => {
    const { stdout, stderr, status } = await compare([...OWN, "--seeds", "0-1", "--out", fresh()]);
    expect(status).toBe(0);
    expect(stderr).toMatch(new RegExp(`downloading ${DEFAULT_CLIP}`));
    expect(stdout).toMatch(FINDING);
    expect(stdout).toMatch(/CLIP distance/);
  });

  it.each([
    [
      "without a network",
      [],
      async () => ({ HF_ENDPOINT: await closedAddress() }),
      /cannot be reached.*measured in pixels/,
    ],
    ["offline", [], async () => ({ HF_HUB_OFFLINE: "1" }), /not in the cache.*measured in pixels/],
    ["with --clip none", ["--clip", "none"], async () => ({}), null],
  ] as const)("measures pixels and latents %s", async (_, more, env, said) => {
    const { stdout, stderr, status } = await compare(
      [...OWN, ...more, "--seeds", "0-1", "--out", fresh()],
      await env(),
    );
    expect(status).toBe(0);
    if (said) expect(stderr).toMatch(said);
    else expect(stderr).not.toMatch(/CLIP/);
    expect(stdout).toMatch(FINDING);
    expect(stdout).toMatch(/pixel distance/);
    expect(stdout.replace(/\s+/g, " ")).toMatch(/By latents the shares are \d+ % and \d+ %\./);
    expect(stdout).not.toMatch(/NaN|–|distribution matching/);
    expect(hub.asked).toEqual([]);
  });

  it("refuses a CLIP that the user named and that is not there", async () => {
    const { stderr, status } = await compare([...OWN, "--clip", "tiny/none", "--seeds", "0-1", "--out", fresh()]);
    expect(status).toBe(3);
    expect(stderr).toMatch(/tiny\/none/);
  });
});

describe("compare with attributes", { timeout: 240_000 }, () => {
  const attributes = path.join(temporaryFolder(), "attributes.json");
  writeFileSync(
    attributes,
    JSON.stringify({
      hat: { template: "a cartoon character with a {}", values: ["cap", "crown"] },
      // No image of this world shows it.
      weather: { template: "a cartoon character in {}", values: ["snow", "rain"] },
    }),
  );
  const out = fresh();
  const words = ["a cartoon character", "a cartoon character wearing a crown", "--attributes", attributes, "--json"];
  const sizes = ["--self-check", "3", "--seeds", "0-2", "--out", out];

  it("measures those that CLIP sees, and goes on without checking them again", async () => {
    const first = await compare([...words, ...sizes]);
    expect(first.status).toBe(0);
    expect(first.stderr).toMatch(/self-check of attributes: 12 images of 4 values/);
    expect(first.stderr).toMatch(/weather is not measured: CLIP finds its value in 0\.\d\d of 6 images/);
    const results = (stdout: string) =>
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
        .filter((e) => e.type === "result")
        .map((e) => e.openAttributes);
    const [base, distilled, hybrid] = results(first.stdout);
    for (const { names, entropy } of [base, distilled, hybrid]) {
      expect(names).toEqual(["hat"]);
      // Of one prompt: the other names its hat.
      expect(entropy.n).toBe(1);
      expect(entropy.mean).toBeGreaterThanOrEqual(0);
      expect(entropy.mean).toBeLessThanOrEqual(Math.LN2);
    }
    expect(base.share).toBeNull();
    expect(hybrid.share.mean).toBeCloseTo(hybrid.entropy.mean / base.entropy.mean, 6);
    const again = await compare([...words, "--seeds", "0-2", "--out", out, "--resume"]);
    expect(again.status).toBe(0);
    expect(again.stderr).not.toMatch(/self-check of attributes/);
    expect(results(again.stdout)).toEqual([base, distilled, hybrid]);
  });

  it("refuses attributes without a CLIP, and a file that is none, before it generates", async () => {
    const none = await compare([...OWN, "--clip", "none", "--attributes", attributes, "--out", fresh()]);
    expect([none.status, none.stderr]).toEqual([2, expect.stringMatching(/--attributes needs a CLIP.*--clip/)]);
    const other = await compare(["a cartoon character", "--attributes", weights, "--out", fresh()]);
    expect([other.status, other.stderr]).toEqual([3, expect.stringContaining(weights)]);
  });
});

it("says how the pair's own prompts were chosen, and how its own distilled model was made", {
  timeout: 240_000,
}, async () => {
  const words = ["--seeds", "0", "--size", "64x48", "--steps", "2", "--clip", "none", "--out"];
  const note = `${PAIRS[0]?.note} ${PAIRS[0]?.promptNote}`;
  expect(note).toMatch(/distribution matching alone.*default prompts/);
  expect((await compare([...words, fresh()])).stdout).toContain(note);
  const other = await compare(["--distilled", own, ...words, fresh()]);
  expect(other.status).toBe(0);
  expect(other.stdout).not.toMatch(/distribution matching|default prompts/);
});

it("every named pair names its CLIP", () => {
  expect(PAIRS.filter((pair) => pair.clip === null)).toEqual([]);
});
