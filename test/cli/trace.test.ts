import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { openWeights } from "../../src/checkpoint/node/index.js";
import { inBrowser } from "../support/browser.js";
import { temporaryFolder } from "../support/folder.js";
import { expectPictures, expectSelfContained, openPage } from "../support/page.js";
import { runProgram } from "../support/program.js";

const PROMPT = 'a <b>"cartoon" character</script> wearing a crown';

const variegate = (...args: string[]) => runProgram(args);

const out = path.join(temporaryFolder(), "traced");
const words = [
  "trace",
  PROMPT,
  "--seeds",
  "1,4",
  "--full-steps",
  "5",
  "--size",
  "64x48",
  "--watch",
  "a crown",
  "--out",
  out,
];

interface Numbers {
  modes: { mode: string; steps: { timestep: number }[]; commit: { pixel: { mean: unknown[] } } }[];
}

describe("trace", { timeout: 240_000 }, async () => {
  const first = await variegate(...words, "--quiet");
  const numbers = (): Numbers => JSON.parse(readFileSync(path.join(out, "trace.json"), "utf8"));

  it("writes a page, numbers, a film strip and the latents of each mode", async () => {
    expect(first).toMatchObject({ status: 0, stderr: "" });
    expect(readdirSync(out).sort((a, b) => a.localeCompare(b))).toEqual([
      "base.safetensors",
      "distilled.safetensors",
      "events.jsonl",
      "filmstrip.png",
      "hybrid.safetensors",
      "trace.html",
      "trace.json",
    ]);
    expect(numbers().modes.map((m) => [m.mode, m.steps.length])).toEqual([
      ["base", 5],
      ["distilled", 4],
      ["hybrid", 4],
    ]);
    const { weights } = await openWeights(path.join(out, "base.safetensors"));
    expect(weights.get("x_t")?.shape).toEqual([2, 6, 4, 12, 16]);
    expect(weights.get("x0")?.shape).toEqual([2, 5, 4, 12, 16]);
    expect(weights.get("timesteps")?.shape).toEqual([5]);
    // 5 + 4 + 4 columns and 2 rows of images of 128 × 96 pixels, below titles.
    const { width = 0, height = 0 } = await sharp(path.join(out, "filmstrip.png")).metadata();
    expect(width).toBeGreaterThan(13 * 128);
    expect(width).toBeLessThan(13 * 128 + 400);
    expect(height).toBeLessThan(2 * 96 + 250);
    // 26 steps with two images each: under 6 kB an image, as 8 seeds of three such modes need to stay under 3 MB.
    expect(statSync(path.join(out, "trace.html")).size).toBeLessThan(52 * 6_000);
  });

  it("refuses the folder of another trace, and goes on where one stopped", async () => {
    expect(await variegate("trace", "something else", "--out", out)).toMatchObject({ status: 2 });
    expect(await variegate(...words)).toMatchObject({ status: 2 });
    const before = numbers();
    const log = path.join(out, "events.jsonl");
    const lines = readFileSync(log, "utf8").split("\n");
    // As if it had been killed before the hybrid was done.
    writeFileSync(log, lines.filter((l) => !l.includes('"hybrid.safetensors"')).join("\n"));
    for (const file of ["hybrid.safetensors", "trace.json", "trace.html"]) rmSync(path.join(out, file));
    writeFileSync(path.join(out, "distilled.safetensors"), "cut short");
    const again = await variegate(...words, "--resume", "--json");
    expect(again.status).toBe(0);
    const events = again.stdout
      .trim()
      .split("\n")
      .map((line): { type: string; mode?: string; causal?: number } => JSON.parse(line));
    const run = new Set(events.filter((e) => e.type === "step" && e.causal === undefined).map((e) => e.mode));
    expect([...run]).toEqual(["distilled", "hybrid"]);
    expect(numbers().modes.map((m) => m.commit.pixel.mean.length)).toEqual(
      before.modes.map((m) => m.commit.pixel.mean.length),
    );
  }, 240_000);

  it.each([
    ["a watch phrase without a CLIP", /--watch .*--clip/, ["x", "--base", "embedded:base", "--watch", "a hat"]],
    ["a TAESD that is not named", /--preview taesd needs .* --taesd/, ["x", "--preview", "taesd"]],
    ["a mode that does not exist", /--mode .*'base,best'.*base, distilled, hybrid/, ["x", "--mode", "base,best"]],
    ["a mode without its model", /needs a distilled model/, ["x", "--base", "embedded:base", "--mode", "hybrid"]],
    ["no prompt", /missing required argument/, []],
  ])("refuses %s in a line", async (_, message, args) => {
    const { status, stderr } = await variegate("trace", ...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });

  it("has all that it shows in itself, and says its finding first, with legend and axis titles", () => {
    const page = openPage(path.join(out, "trace.html"));
    expectSelfContained(page);
    expect(page.text("h1")).toBe(PROMPT);
    expect(page.data("trace")).toMatchObject({ prompt: PROMPT, seeds: [1, 4], modes: numbers().modes });
    expect(page.text("#summary p:first-child")).toMatch(/Of the base's diversity .* the distilled model keeps \d+ %/);
    expect(page.text("#legend")).toMatch(/base, 5 steps.*distilled, 4 steps.*hybrid, 4 steps/);
    for (const chart of ["#commit", "#spread"]) {
      expect(page.text(chart)).toMatch(
        /timestep \(noise on the left, image on the right\)distance, (pixels|CLIP features)(?=base at)/,
      );
    }
    // 13 steps of two seeds, and the two runs on the stage.
    const urls = page.images();
    expect(expectPictures(urls)).toBe(2 * 13 + 2);
    expect(new Set(urls.slice(2)).size).toBe(26);
  });

  it("stays under 3 MB for eight seeds of 64 pixels", async () => {
    const large = path.join(temporaryFolder(), "eight");
    const asked = ["--seeds", "0-7", "--size", "64", "--full-steps", "10", "--out", large, "--quiet"];
    expect(await variegate("trace", PROMPT, ...asked)).toMatchObject({ status: 0, stderr: "" });
    const page = openPage(path.join(large, "trace.html"));
    expect(page.data("trace")).toMatchObject({ seeds: [0, 1, 2, 3, 4, 5, 6, 7] });
    expect(page.bytes).toBeLessThan(3e6);
  }, 240_000);

  inBrowser(
    "opens from disk and shows what it holds",
    async (browser) => {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      const wrong: string[] = [];
      page.on("pageerror", (error) => wrong.push(error.message));
      page.on("request", (request) => {
        if (!/^(file|data):/.test(request.url())) wrong.push(`asked the network for ${request.url()}`);
      });
      await page.goto(pathToFileURL(path.join(out, "trace.html")).href);
      expect(await page.textContent("h1")).toBe(PROMPT);
      // As many cells and points as the numbers have steps.
      const steps = numbers().modes.map((m) => m.steps.length);
      const total = steps.reduce((a, b) => a + b, 0);
      expect(await page.locator(".cell").count()).toBe(2 * total);
      expect(await page.locator("#commit .point").count()).toBe(total);
      for (const [i, { mode }] of numbers().modes.entries()) {
        expect(await page.locator(`#spread .point[data-mode="${mode}"]`).count()).toBe(steps[i]);
      }
      // Scrubbing, by keys and by the slider, changes the picture and the words.
      const shown = () => page.getAttribute("#left", "src");
      const words = () => page.textContent("#where");
      // It opens where both runs are committed, and says its finding first.
      expect(await page.textContent("#summary p:first-child")).toMatch(
        /Of the base's diversity .* the distilled model keeps \d+ %/,
      );
      const opened = await words();
      await page.keyboard.press("Home");
      const [picture, place] = [await shown(), await words()];
      expect(opened).not.toBe(place);
      expect(await page.textContent("#marks")).toContain("◆ committed");
      expect(await page.textContent("#legend")).toContain("distilled, 4 steps");
      await page.keyboard.press("End");
      expect(await shown()).not.toBe(picture);
      expect(await words()).not.toBe(place);
      await page.keyboard.press("Home");
      expect(await shown()).toBe(picture);
      await page.locator("#scrub").fill("3");
      expect(await shown()).not.toBe(picture);
      // The other side, the noisy pictures, another space, zoom, dark.
      await page
        .locator('.cell[data-row="3"]')
        .first()
        .click({ modifiers: ["Shift"] });
      expect(await page.textContent("#right-name")).toMatch(/distilled, seed 4/);
      const clean = await shown();
      await page.keyboard.press("x");
      expect(await shown()).not.toBe(clean);
      await page.locator('[data-space="latent"]').click();
      expect(await page.getAttribute('[data-space="latent"]', "aria-selected")).toBe("true");
      await page.keyboard.press("+");
      expect(await page.getAttribute("#left", "style")).toContain("scale(1.2)");
      await page.setViewportSize({ width: 390, height: 844 });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
      const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
      const light = await ground();
      await page.keyboard.press("d");
      expect(await ground()).not.toBe(light);
      expect(wrong).toEqual([]);
    },
    60_000,
  );
});

describe("textual inversions in the model folders", { timeout: 180_000 }, () => {
  const PIP = fileURLToPath(new URL("../../embedded/adapters/pip.safetensors", import.meta.url));
  const programs = temporaryFolder();
  const at = (name: string) => path.join(programs, name);
  const few = ["--mode", "distilled", "--seeds", "3", "--size", "64x48", "--quiet"];
  const named = ["a cat, embedding:pip", "--prompt-syntax", "comfy", "--comfy", at("comfy")];

  it("are those that the prompt of a trace or a slide names", async () => {
    mkdirSync(at("comfy/models/embeddings"), { recursive: true });
    copyFileSync(PIP, at("comfy/models/embeddings/pip.safetensors"));
    expect((await variegate("trace", ...named, ...few, "--out", at("named"))).status).toBe(0);
    const given = ["a cat, <p>", "--embedding", `${PIP}=<p>`];
    expect((await variegate("trace", ...given, ...few, "--out", at("given"))).status).toBe(0);
    expect((await variegate("trace", "a cat, ", ...few, "--out", at("without"))).status).toBe(0);
    const latents = (run: string) => readFileSync(at(`${run}/distilled.safetensors`)).toString("hex");
    expect(latents("named")).toBe(latents("given"));
    expect(latents("named")).not.toBe(latents("without"));

    const slider = ["--slider", "smile.base", "--scales", "0,1"];
    expect((await variegate("slide", ...named, ...slider, ...few, "--out", at("slid"))).status).toBe(0);
    const { sources } = JSON.parse(readFileSync(at("slid/slide.json"), "utf8")) as {
      sources: Record<string, string>[];
    };
    expect(sources.filter(({ role }) => role === "embedding").map(({ file }) => file)).toEqual(["pip.safetensors"]);
  });
});
