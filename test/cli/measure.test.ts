import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { temporaryFolder } from "../support/folder.js";
import { expectPictures, expectSelfContained, openPage } from "../support/page.js";
import { runProgram } from "../support/program.js";

const variegate = (...args: string[]) => runProgram(args);

const root = temporaryFolder();
const folder = (name: string) => path.join(root, name);
const PROMPTS = ["a cartoon character", "a red cartoon character wearing a crown"];

beforeAll(async () => {
  for (const mode of ["base", "distilled"]) {
    const { status } = await variegate(
      "generate",
      ...PROMPTS,
      "--seeds",
      "0-7",
      "--mode",
      mode,
      "--steps",
      "4",
      "--out",
      folder(mode),
      "--quiet",
    );
    expect(status).toBe(0);
  }
});

const schema = z.object({
  notes: z.array(z.string()),
  instruments: z.array(
    z.object({
      name: z.string(),
      preparation: z.string(),
      weights: z.array(z.object({ sha256: z.string().length(64) })).min(1),
    }),
  ),
  folders: z.array(
    z.object({
      prompts: z.array(z.object({ prompt: z.string(), told: z.string(), files: z.array(z.string()) })),
      skipped: z.array(z.object({ file: z.string(), why: z.string() })),
      measures: z.array(
        z.object({
          id: z.string(),
          value: z.object({
            mean: z.number().nullable(),
            low: z.number().nullable(),
            high: z.number().nullable(),
            n: z.number(),
          }),
          pictures: z.number(),
          perPrompt: z.array(z.number().nullable()).optional(),
          warnings: z.array(z.string()),
        }),
      ),
    }),
  ),
});

async function measured(...args: string[]) {
  const { status, stdout, stderr } = await variegate("measure", ...args, "--json", "--quiet");
  if (status !== 0) throw new Error(stderr);
  return schema.parse(JSON.parse(stdout));
}

describe("measure", { timeout: 240_000 }, () => {
  it("measures what generate generated, prompt by prompt, and writes the same object and a page", async () => {
    const out = folder("measured");
    const result = await measured(folder("distilled"), "--reference", folder("base"), "--out", out);
    const [one] = result.folders;
    expect(one?.prompts.map((p) => [p.prompt, p.told, p.files.length])).toEqual(
      PROMPTS.map((p) => [p, "variegate", 8]),
    );
    const of = (id: string) => one?.measures.find((m) => m.id === id);
    for (const id of [
      "clip.distance",
      "clip.vendi",
      "clip.recall",
      "clip.score",
      "attributes.entropy",
      "classifier.entropy",
    ]) {
      const { mean, low, high } = of(id)?.value ?? {};
      expect(mean, id).toBeGreaterThan(0);
      // Two prompts have no interval; that of whole sets is over images.
      if (id !== "clip.recall") expect([low, high], id).toEqual([null, null]);
      else
        expect([low ?? 9, mean, high ?? -9]).toEqual(
          [low ?? 9, mean, high ?? -9].toSorted((a, b) => (a ?? 0) - (b ?? 0)),
        );
    }
    // A prompt that says more leaves less open.
    const [open = 0, said = 0] = of("classifier.distance")?.perPrompt ?? [];
    expect(open ?? 0).toBeGreaterThan(said ?? 9);
    expect(of("clip.recall")?.warnings.join()).toMatch(/16 images in the smaller set/);
    expect(JSON.parse(readFileSync(path.join(out, "measures.json"), "utf8"))).toMatchObject({
      folders: result.folders,
    });
    const page = openPage(path.join(out, "report.html"));
    expectSelfContained(page);
    expect(expectPictures(page.images())).toBe(16);
    expect(page.bytes).toBeLessThan(3e6);
    expect(page.text("body")).toContain("a red cartoon character wearing a crown");
    expect(page.text("body")).toMatch(/\d images of 2 prompts/);
    expect(page.text("body")).not.toMatch(/\d of \d+ prompt/);
    expect(await variegate("measure", folder("distilled"), "--out", out)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/already holds a run/),
    });
  });

  it("takes prompts from a list and sets two folders side by side", async () => {
    const sorted = folder("sorted");
    for (const [p, name] of ["a_fox", "an_owl"].entries()) {
      mkdirSync(path.join(sorted, name), { recursive: true });
      for (let i = 0; i < 3; i++) {
        copyFileSync(path.join(folder("base"), `${p}-${i}.png`), path.join(sorted, name, `${i}.png`));
      }
    }
    writeFileSync(
      folder("list.json"),
      JSON.stringify({
        "a fox": ["a_fox/0.png", "a_fox/1.png", "a_fox/2.png"],
        "an owl": ["an_owl/0.png", "an_owl/1.png", "an_owl/2.png"],
      }),
    );
    const result = await measured(sorted, "--prompts", folder("list.json"), "--out", folder("sorted-measured"));
    expect(result.folders[0]?.prompts.map((p) => [p.prompt, p.told])).toEqual([
      ["a fox", "list"],
      ["an owl", "list"],
    ]);
    const { stdout, status } = await variegate(
      "measure",
      folder("base"),
      folder("distilled"),
      "--out",
      folder("both"),
      "--quiet",
    );
    expect(status).toBe(0);
    expect(stdout.split("\n")[0]).toMatch(/measure.*base.*distilled.*better/);
    expect(readFileSync(path.join(folder("both"), "report.html"), "utf8")).toContain("Side by side");
  });

  it.each<[string, () => string[], number, RegExp]>([
    ["no folder", () => [folder("nowhere")], 3, /no such folder/],
    ["an unreadable image", () => [folder("bad")], 3, /1 of 3 images.*broken\.png.*--skip-bad/],
    ["a reference with too few", () => [folder("base"), "--reference", folder("bad"), "--skip-bad"], 2, /at least 6/],
  ])("refuses %s in a line, and leaves nothing", async (_, args, code, message) => {
    mkdirSync(folder("bad"), { recursive: true });
    for (const i of [0, 1]) copyFileSync(path.join(folder("base"), `0-${i}.png`), path.join(folder("bad"), `${i}.png`));
    writeFileSync(path.join(folder("bad"), "broken.png"), "hello");
    const { status, stderr } = await variegate("measure", ...args(), "--out", folder("refused"));
    expect([status, stderr]).toEqual([code, expect.stringMatching(message)]);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
    expect(existsSync(folder("refused"))).toBe(false);
  });
});
