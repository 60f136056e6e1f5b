import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { encodePng } from "../../../src/files/index.js";
import { readImages } from "../../../src/train/node/index.js";
import { temporaryFolder } from "../../support/folder.js";

const sizes = [{ width: 64, height: 48 }];

/** A folder of images of 80 × 60 pixels, and other files. */
async function folderOf(images: readonly string[], files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = temporaryFolder();
  for (const name of images) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    await sharp({ create: { width: 80, height: 60, channels: 3, background: "#f00" } }).toFile(path.join(folder, name));
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  return folder;
}
const captionsOf = async (folder: string, caption?: string) =>
  (await readImages(folder, { sizes, ...(caption && { caption }) })).map((i) => [i.file, i.caption]);

describe("readImages", () => {
  it("reads the .txt beside each image", async () => {
    const folder = await folderOf(["10.png", "2.jpg"], { "10.txt": "ten\n", "2.txt": "\ufefftwo", "notes.md": "no" });
    expect(await captionsOf(folder)).toEqual([
      ["2.jpg", "two"],
      ["10.png", "ten"],
    ]);
    expect(await captionsOf(folder, "all")).toEqual([
      ["2.jpg", "all"],
      ["10.png", "all"],
    ]);
  });

  it("reads metadata.jsonl, with images in subfolders", async () => {
    const lines = ['{"file_name": "deep/a.png", "text": "one"}', "", '{"file": "b.png", "caption": "two, \\"too\\""}'];
    const folder = await folderOf(["deep/a.png", "b.png"], { "metadata.jsonl": lines.join("\r\n"), "b.txt": "no" });
    expect(await captionsOf(folder)).toEqual([
      ["b.png", 'two, "too"'],
      ["deep/a.png", "one"],
    ]);
  });

  it("reads captions.csv, and a .txt for those that it leaves out", async () => {
    const folder = await folderOf(["a.png", "b.png"], { "captions.csv": 'image,prompt\na.png,"x, y"\n', "b.txt": "z" });
    expect(await captionsOf(folder)).toEqual([
      ["a.png", "x, y"],
      ["b.png", "z"],
    ]);
  });

  it("takes the prompt that a generated image records", async () => {
    const folder = await folderOf([]);
    const image = { width: 64, height: 48, data: new Uint8Array(64 * 48 * 3) };
    const text = { variegate: JSON.stringify({ prompt: "a red fox", seed: 1 }) };
    writeFileSync(path.join(folder, "1.png"), await encodePng(image, text));
    expect(await captionsOf(folder)).toEqual([["1.png", "a red fox"]]);
  });

  it.each([
    [["a.png", "b.png"], { "a.txt": "a" }, /there is no caption for 1 of 2 images \(b\.png\); write it to a \.txt/],
    [["1.png", "2.png", "3.png", "4.png", "5.png"], {}, /for 5 of 5 images \(1\.png, 2\.png, 3\.png, … 2 more\)/],
    [["a.png"], { "a.txt": " \n" }, /for 1 of 1 image \(a\.png\)/],
    [
      ["a.png"],
      { "a.txt": "a", "b.png": "no image" },
      /1 of 2 images cannot be used \(b\.png: cannot be read as an image/,
    ],
    [["a.png"], { "a.txt": "a", "b.png": "" }, /b\.png: is empty\); remove them/],
    [[], { "a.txt": "a" }, /holds no images/],
    [["a.png"], { "metadata.jsonl": '{"file_name": "a.png"}' }, /metadata\.jsonl: line 1: expected an object such as/],
    [
      ["a.png"],
      { "metadata.jsonl": '{"file_name": "c.png", "text": "c"}' },
      /line 1: there is no c\.png in the folder/,
    ],
    [["a.png"], { "captions.csv": "a.png,red\n" }, /expected columns file and caption; it has: a\.png, red/],
  ] as const)("refuses %j with %j", async (images, files, said) => {
    await expect(captionsOf(await folderOf(images, files))).rejects.toThrow(said);
  });

  it("refuses tiny images, and folders that are none", async () => {
    const folder = await folderOf(["a.png"], { "a.txt": "a" });
    await expect(readImages(folder, { sizes: [{ width: 161, height: 120 }] })).rejects.toThrow(
      "a.png: 80 × 60 is tiny beside 161 × 120",
    );
    await expect(captionsOf(path.join(folder, "none"))).rejects.toThrow(/none: there is no such folder/);
    await expect(captionsOf(path.join(folder, "a.png"))).rejects.toThrow(/is a file; expected a folder of images/);
  });
});
