import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { createRng } from "../../src/tensor/index.js";
import { inBrowser } from "../support/browser.js";
import { temporaryFolder } from "../support/folder.js";
import { expectPictures, expectSelfContained, openPage } from "../support/page.js";
import { runProgram } from "../support/program.js";

const variegate = (...args: string[]) => runProgram(args);

const folder = temporaryFolder();
const slider = path.join(folder, "slider.safetensors");
writeFileSync(
  slider,
  safetensors({
    "unet.conv_in.lora_A.weight": createRng(1).randn([2, 4, 3, 3]),
    "unet.conv_in.lora_B.weight": createRng(2).randn([48, 2, 1, 1]),
  }),
);
const out = path.join(folder, "slid");

describe("slide", { timeout: 240_000 }, () => {
  it("writes strips, numbers and a page", async () => {
    const { status, stderr, stdout } = await variegate(
      ...["slide", "a cartoon character", "--slider", slider, "--scales=-1..1:3", "--seeds", "1,2"],
      ...["--mode", "distilled", "--concept", "a crown", "--out", out, "--quiet"],
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/CLIP score/);
    expect(readdirSync(out).sort((a, b) => a.localeCompare(b))).toEqual([
      "distilled",
      "events.jsonl",
      "slide.html",
      "slide.json",
      "strips.png",
    ]);
    const { rows } = JSON.parse(readFileSync(path.join(out, "slide.json"), "utf8")) as { rows: { stops: unknown[] }[] };
    expect(rows.map((r) => r.stops.length)).toEqual([3]);
  });

  it("records the setting of a calibration, so that its images can be made again elsewhere", async () => {
    const calibrations = path.join(folder, "calibrations.json");
    const entry = {
      ...{ base: "embedded:base", distilled: "embedded:distilled", files: null, sampling: { switch: 2 } },
      ...{ on: "2026-01-01", about: "", diversity: null, adherence: null, prompts: 1, seeds: 1 },
    };
    writeFileSync(calibrations, JSON.stringify({ pairs: [entry] }));
    const dir = path.join(folder, "calibrated");
    const words = [
      "slide",
      "a cartoon character",
      "--slider",
      slider,
      "--scales=0,1",
      "--seeds",
      "1",
      "--mode",
      "hybrid",
    ];
    const { status, stderr } = await runProgram([...words, "--size", "64x48", "--out", dir, "--quiet"], {
      VARIEGATE_CALIBRATIONS: calibrations,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { requests } = JSON.parse(readFileSync(path.join(dir, "slide.json"), "utf8")) as { requests: object[] };
    expect(requests).toEqual([expect.objectContaining({ mode: "hybrid", switch: 2 })]);
  });

  describe("with --resume", () => {
    const dir = path.join(folder, "resumed");
    const options = ["--seeds", "1,2", "--mode", "distilled,hybrid", "--size", "64x48", "--out", dir];
    const words = (scales: string) => [
      ...["slide", "a cartoon character", "--slider", slider, `--scales=${scales}`, "--concept", "a crown"],
      ...options,
    ];
    const WORDS = [...words("-1..1:3"), "--batch", "1"];
    const bytesOf = (name: string) => readFileSync(path.join(dir, name));

    it("makes only what is missing or was changed, and ends with the same files", async () => {
      expect((await variegate(...WORDS)).status).toBe(0);
      const names = ["distilled", "hybrid"].flatMap((mode) =>
        ["-1", "0", "1"].flatMap((scale) => [1, 2].map((seed) => `${mode}/${seed}_${scale}.png`)),
      );
      const files = ["strips.png", "slide.json", "slide.html", ...names];
      const before = new Map(files.map((name) => [name, bytesOf(name)]));
      expect(new Set(names.map((name) => bytesOf(name).toString("hex"))).size).toBe(12);
      for (const name of ["slide.json", "slide.html", "strips.png", "hybrid/1_-1.png"]) rmSync(path.join(dir, name));
      writeFileSync(path.join(dir, "distilled/2_1.png"), "spoilt");
      const { status, stdout, stderr } = await variegate(...WORDS, "--resume", "--json");
      expect([status, stderr]).toEqual([0, expect.not.stringMatching(/rror/)]);
      const events = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      const made = events.filter((e) => e.type === "image").map((e) => [e.mode, e.prompt, e.seed]);
      expect(made).toEqual([
        ["distilled", 2, 2],
        ["hybrid", 0, 1],
      ]);
      for (const [name, bytes] of before) expect([name, bytesOf(name).equals(bytes)]).toEqual([name, true]);
      const { files: listed } = JSON.parse(bytesOf("slide.json").toString()) as { files: { file: string }[] };
      expect(new Set(listed.map(({ file }) => file))).toEqual(new Set([...names, "slide.html", "strips.png"]));
    });

    it("refuses a folder that holds a run, and a run with other options", async () => {
      const again = await variegate(...WORDS);
      expect([again.status, again.stderr]).toEqual([2, expect.stringMatching(/already holds a run; --resume /)]);
      const other = await variegate(...words("-1..1:5"), "--batch", "1", "--resume");
      expect([other.status, other.stderr]).toEqual([2, expect.stringMatching(/holds a run with other options/)]);
    });

    it("writes images that generate makes again, in the batch they were made in", async () => {
      const batched = path.join(folder, "batched");
      expect((await variegate(...words("-1..1:3"), "--out", batched)).status).toBe(0);
      const images = [
        { from: path.join(dir, "hybrid/2_1.png"), file: "2.png" },
        { from: path.join(batched, "distilled/1_-1.png"), file: "0-1.png" },
      ];
      for (const { from, file } of images) {
        const again = path.join(temporaryFolder(), "again");
        const { status, stderr } = await variegate("generate", "--from", from, "--out", again);
        expect([status, stderr]).toEqual([0, expect.stringContaining("1 of 1 image equals")]);
        expect(readFileSync(path.join(again, file)).equals(readFileSync(from))).toBe(true);
      }
    });
  });

  it.each(["smile.base", "smile.distilled"])("%s makes faces smile on either model", async (name) => {
    const slid = path.join(folder, name);
    const { status } = await variegate(
      ...["slide", "a cartoon character", "--slider", name, "--scales=-2..2:3", "--seeds", "0-7"],
      ...["--mode", "base,distilled", "--out", slid, "--quiet"],
    );
    expect(status).toBe(0);
    type Read = { rows: { stops: { readings: { smile: { mean: number } } }[] }[] };
    const { rows } = JSON.parse(readFileSync(path.join(slid, "slide.json"), "utf8")) as Read;
    for (const { stops } of rows) {
      const [low = 0, middle = 0, high = 0] = stops.map((s) => s.readings.smile.mean);
      expect(low).toBeLessThan(middle);
      expect(middle).toBeLessThan(high);
    }
  });

  it("has all that it shows in itself, and says its finding first, with legend and axis titles", () => {
    const page = openPage(path.join(out, "slide.html"));
    expectSelfContained(page);
    expect(page.bytes).toBeLessThan(3e6);
    expect(page.data("slide")).toMatchObject({ prompt: "a cartoon character", seeds: [1, 2], scales: [-1, 0, 1] });
    expect(page.text("#finding")).toMatch(/^From scale -1 to 1, .*: distilled -?[\d.]+ → -?[\d.]+\.$/);
    expect(page.text("#legend")).toMatch(/^distilled/);
    const measure = page.text('#measures button[aria-selected="true"]');
    // Two seeds have no interval: the classifier's numbers are compared with each other.
    expect(measure).toMatch(/\(classifier\)$/);
    expect(page.text("#chart")).toContain(`scale of the slider${measure}`);
    expect(page.text("#value")).toBe("0");
    // A header and three scales.
    expect(page.document.querySelectorAll("#table tr").length).toBe(4);
    expect(expectPictures(page.images())).toBe(2);
  });

  inBrowser(
    "has a slider that moves",
    async (browser) => {
      const page = await browser.newPage();
      const wrong: string[] = [];
      page.on("pageerror", (error) => wrong.push(error.message));
      await page.goto(pathToFileURL(path.join(out, "slide.html")).href);
      expect(await page.locator("#grid img").count()).toBe(2);
      const shown = () => page.getAttribute("#grid img", "src");
      const middle = await shown();
      expect(await page.textContent("#value")).toBe("0");
      await page.keyboard.press("ArrowRight");
      expect(await page.textContent("#value")).toBe("1");
      expect(await shown()).not.toBe(middle);
      await page.locator("#scale").fill("1");
      expect(await shown()).toBe(middle);
      // The finding and the chart are of one measure, which has a direction; another is chosen by its tab.
      const chosen = (await page.textContent('#measures [aria-selected="true"]')) ?? "";
      expect(chosen).toMatch(/classifier|CLIP/);
      expect(await page.textContent("#finding")).toContain(`From scale -1 to 1, ${chosen}: distilled `);
      const line = () => page.getAttribute("#chart polyline", "points");
      const drawn = await line();
      await page.locator("#measures button").last().click();
      expect(await line()).not.toBe(drawn);
      expect(wrong).toEqual([]);
    },
    60_000,
  );

  it("measures pixels without a CLIP, in the table and on the page", async () => {
    const dir = path.join(folder, "pixels");
    const { status, stdout } = await variegate(
      ...["slide", "a cartoon character", "--slider", slider, "--scales", "0.5,1", "--mode", "distilled"],
      ...["--base", "embedded:base", "--distilled", "embedded:distilled", "--clip", "none", "--size", "64x48"],
      ...["--out", dir],
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/pixel distance to scale 0\.5\n.*\ndistilled +0\.5 +0\.000\ndistilled +1 +0\.[0-9]*[1-9]/);
    expect(stdout).toMatch(/--concept .* with a CLIP, which --clip names/);
    const page = openPage(path.join(dir, "slide.html"));
    expect(page.text("#finding")).toMatch(/^From scale 0\.5 to 1, pixel distance to scale 0\.5: distilled 0\.00 → 0/);
    expect(page.document.querySelectorAll("#table tr").length).toBe(3);
  });

  it.each([
    ["no slider", 2, /required option '--slider/, ["x"]],
    ["scales that are none", 2, /--scales .*'a'.*scales/, ["x", "--slider", slider, "--scales", "a"]],
    ["a slider that is not there", 3, /no such file/, ["x", "--slider", "/nowhere.safetensors"]],
    ["a part of no name", 3, /not an adapter of the pair or the package/, ["x", "--slider", "unheard-of"]],
  ])("refuses %s in a line", async (_, code, message, args) => {
    const { status, stderr } = await variegate("slide", ...args);
    expect(status).toBe(code);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });
});
