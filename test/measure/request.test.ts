import { copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { FileError, RequestError, UnsupportedConfigError, WeightMissingError } from "../../src/errors.js";
import { encodePng } from "../../src/files/index.js";
import { type MeasureRequest, measure } from "../../src/measure/index.js";
import { temporaryFolder } from "../support/folder.js";
import { bfloat16, openVino } from "../support/openvino.js";

const root = temporaryFolder();
const folder = (name: string) => path.join(root, name);

/** A plain image of any size. */
const png = (background: string, width = 40, height = 32) =>
  sharp({ create: { width, height, channels: 3, background } }).png();

beforeAll(async () => {
  for (const name of ["plain", "one", "empty", "copies", "bad"]) mkdirSync(folder(name));
  const colours = ["red", "green", "blue", "white", "black", "orange", "teal", "navy"];
  for (const [i, colour] of colours.entries()) await png(colour).toFile(path.join(folder("plain"), `${i}.png`));
  await png("red").toFile(path.join(folder("one"), "0.png"));
  for (let i = 0; i < 6; i++)
    copyFileSync(path.join(folder("one"), "0.png"), path.join(folder("copies"), `a fox_${i}.png`));
  for (const i of [0, 1, 2]) copyFileSync(path.join(folder("plain"), `${i}.png`), path.join(folder("bad"), `${i}.png`));
  writeFileSync(path.join(folder("bad"), "broken.png"), "hello");
  await png("red", 80, 32).toFile(path.join(folder("bad"), "wide.png"));
  writeFileSync(folder("one.csv"), "file,prompt\nother.png,a fox\n");
  writeFileSync(folder("one.json"), JSON.stringify({ hat: ["cap"] }));
  writeFileSync(folder("hats.json"), JSON.stringify({ hat: ["red", "blue"], sky: ["grey", "black"] }));
});

const run = (request: Partial<MeasureRequest> & { folder: string }) => {
  const { folder: name, ...more } = request;
  return measure({ folders: [folder(name)], ...more }, { threads: 1 });
};

describe("a request to measure", () => {
  it("finds no variety in copies, and their prompt in their names", async () => {
    const { folders, notes, instruments } = await run({ folder: "copies" });
    const [one] = folders;
    const of = (id: string) => one?.measured.measures.find((m) => m.id === id)?.value.mean;
    expect(of("clip.distance")).toBeCloseTo(0, 5);
    expect(of("clip.vendi")).toBeCloseTo(1, 4);
    expect(one?.measured.prompts).toMatchObject([{ prompt: "a fox", told: "name" }]);
    // Images of an unknown world: no attributes of the embedded one, no classifier.
    expect(instruments.map((i) => i.name)).toEqual(["clip"]);
    expect(one?.measured.measures.some((m) => /^(classifier|attributes)\./.test(m.id))).toBe(false);
    expect(notes).toHaveLength(2);
  });

  it.runIf(openVino && bfloat16)("computes distances in bfloat16 within 2 % of those in float32", async () => {
    const distance = async (compute?: "bfloat16") => {
      const machine = { threads: 1, ...(compute && { device: "openvino" as const }) };
      const { folders } = await measure({ folders: [folder("plain")], ...(compute && { compute }) }, machine);
      return folders[0]?.measured.measures.find((m) => m.id === "clip.distance")?.value.mean ?? Number.NaN;
    };
    const exact = await distance();
    const close = await distance("bfloat16");
    expect(close).not.toBe(exact);
    expect(close / exact).toBeCloseTo(1, 1.7);
  });

  it.each<[string, string | null, RegExp[]]>([
    ["those of the pair that made the images", "emoji", [/^CLIP \(.*pair-emoji\/clip\)$/, /the pair emoji/]],
    ["the embedded pair's", "embedded-lora", [/^CLIP \(embedded:clip\)$/, /the pair embedded-lora/]],
    ["no classifier for models without a name", null, [/^CLIP \(embedded:clip\)$/]],
  ])("uses instruments: %s", async (_, pair, networks) => {
    const name = `of ${pair}`;
    mkdirSync(folder(name));
    for (const [i, colour] of ["red", "green"].entries()) {
      const { data } = await png(colour, 64, 64).removeAlpha().raw().toBuffer({ resolveWithObject: true });
      const text = { variegate: JSON.stringify({ prompt: "an animal", seed: i, mode: "base", pair }) };
      writeFileSync(path.join(folder(name), `${i}.png`), await encodePng({ width: 64, height: 64, data }, text));
    }
    const { instruments } = await run({ folder: name });
    expect(instruments.map((i) => i.network)).toEqual(networks.map((n) => expect.stringMatching(n)));
  });

  it("counts the attributes that a prompt leaves free, and leaves out those that it names", async () => {
    writeFileSync(folder("list.json"), JSON.stringify({ "a red hat": readdirSync(folder("plain")) }));
    const { folders } = await run({ folder: "plain", prompts: folder("list.json"), attributes: folder("hats.json") });
    const { measures, attributes } = folders[0]?.measured ?? { measures: [], attributes: [] };
    const ids = measures.map((m) => m.id).filter((id) => id.startsWith("attributes."));
    expect(ids).toEqual(["attributes.entropy", "attributes.sky"]);
    const [all, sky] = ids.map((id) => measures.find((m) => m.id === id)?.value.mean ?? Number.NaN);
    expect(all).toBeCloseTo(sky ?? 9, 9);
    const counts = attributes.map((a) => [a.name, Object.values(a.shown).reduce((n, v) => n + v, 0)]);
    expect(counts).toEqual([["sky", expect.closeTo(8, 9)]]);
  });

  it("finds the attributes of each prompt's noun, without a check where no model is named", async () => {
    const files = readdirSync(folder("plain"));
    writeFileSync(folder("nouns.json"), JSON.stringify({ "a car": files.slice(0, 4), liberty: files.slice(4) }));
    const asked = { folder: "plain", prompts: folder("nouns.json"), attributes: "auto" };
    const { folders, notes, selfCheck } = await run(asked);
    expect(selfCheck).toBeNull();
    expect(notes.join()).toMatch(/No attributes for "liberty".*name it with --pair/);
    const { measures } = folders[0]?.measured ?? { measures: [] };
    const color = measures.find((m) => m.id === "attributes.vehicle.color");
    expect(color?.perPrompt).toEqual([expect.any(Number), null]);
    expect(color?.seeds).toBe(4);
    expect(measures.some((m) => m.id.startsWith("attributes.animal"))).toBe(false);
  });

  it("sets the images beside the base's, and beside what a reference shows for the same prompts", async () => {
    writeFileSync(folder("list.json"), JSON.stringify({ "a hat": readdirSync(folder("plain")) }));
    const asked = { folder: "plain", prompts: folder("list.json"), attributes: folder("hats.json") };
    mkdirSync(path.join(folder("real"), "a hat"), { recursive: true });
    for (const i of [0, 1, 2, 3, 4, 5, 6, 7])
      copyFileSync(path.join(folder("plain"), `${i}.png`), path.join(folder("real"), "a hat", `${i}.png`));
    const { folders } = await run({ ...asked, baseImages: folder("plain"), reference: folder("real") });
    const of = (id: string) => folders[0]?.measured.measures.find((m) => m.id === id);
    for (const id of ["clip.distance", "attributes.entropy"]) expect(of(id)?.share?.mean, id).toBeCloseTo(1, 9);
    expect(of("clip.precision")?.share).toBeUndefined();
    // The same images: every value is reached, and as many of them reach every value.
    expect(of("attributes.coverage")?.value.mean).toBe(1);
    expect(of("attributes.coverage-ceiling")?.value.mean).toBe(1);
  });

  it("skips unreadable images only when asked, and then names them", async () => {
    await expect(run({ folder: "bad" })).rejects.toThrow(FileError);
    const { folders } = await run({ folder: "bad", skipBad: true });
    expect(folders[0]?.measured.skipped.map((s) => s.file).sort()).toEqual(["broken.png", "wide.png"]);
    expect(folders[0]?.measured.measures[0]?.pictures).toBe(3);
  });

  it("names images that it cannot read and linked folders, and reads JPEG under all of its names", async () => {
    const mixed = folder("mixed");
    mkdirSync(mixed);
    for (const i of [0, 1]) copyFileSync(path.join(folder("plain"), `${i}.png`), path.join(mixed, `${i}.png`));
    const jpeg = await sharp(path.join(folder("plain"), "2.png"))
      .jpeg()
      .toBuffer();
    for (const ending of ["jfif", "jpe", "jif"]) writeFileSync(path.join(mixed, `2.${ending}`), jpeg);
    for (const name of ["notes.txt", "Thumbs.db"]) writeFileSync(path.join(mixed, name), "no picture");
    expect((await run({ folder: "mixed" })).folders[0]?.measured.measures[0]?.pictures).toBe(5);
    writeFileSync(path.join(mixed, "3.bmp"), "BM");
    symlinkSync(folder("plain"), path.join(mixed, "linked"));
    await expect(run({ folder: "mixed" })).rejects.toThrow(/3\.bmp: .*not read.*linked: .*link.*--skip-bad/);
    const { measured } = (await run({ folder: "mixed", skipBad: true })).folders[0] ?? {};
    expect(measured?.skipped.map((s) => s.file).sort()).toEqual(["3.bmp", "linked"]);
    expect(measured?.measures[0]?.pictures).toBe(5);
  });

  it.each<[string, Partial<MeasureRequest> & { folder: string }, new (...given: never[]) => Error]>([
    ["no folder", { folder: "nowhere" }, FileError],
    ["a file", { folder: "one.csv" }, FileError],
    ["an empty folder", { folder: "empty" }, FileError],
    ["one image", { folder: "one" }, RequestError],
    ["a reference with too few", { folder: "plain", reference: folder("one") }, RequestError],
    ["prompts that match nothing", { folder: "plain", prompts: folder("one.csv") }, RequestError],
    ["attributes that do not fit", { folder: "plain", attributes: folder("one.json") }, FileError],
    ["weights of another network", { folder: "plain", dino: "embedded:clip" }, UnsupportedConfigError],
    [
      "weights without Inception",
      { folder: "plain", inception: "embedded:clip/model.safetensors" },
      WeightMissingError,
    ],
    ["weights without DreamSim", { folder: "plain", dreamsim: "embedded:clip/model.safetensors" }, FileError],
    ["half of LPIPS", { folder: "plain", lpips: "alexnet.pth" }, RequestError],
    ["a classifier for CLIP", { folder: "plain", clip: "embedded:judge" }, RequestError],
    ["bfloat16 on the processor by itself", { folder: "plain", compute: "bfloat16" }, RequestError],
  ])("refuses %s before anything is measured", async (_, { folder: name, ...more }, error) => {
    let ready = false;
    const onReady = async () => {
      ready = true;
    };
    const asked = measure({ folders: [folder(name)], ...more }, { threads: 1 }, { onReady });
    await expect(asked).rejects.toThrow(error);
    expect(ready).toBe(false);
  });
});
