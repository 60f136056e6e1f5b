import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FileError, RequestError } from "../../src/errors.js";
import { readPngText, savePng } from "../../src/files/index.js";
import { generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";

const pair = await openPair({ threads: 1 });
afterAll(() => pair.close());

const size = { width: 64, height: 48 };
const short = { seeds: [3, 1], size } as const;

describe("pair.generate", () => {
  it("gives the images of generate, each with its prompt, seed and latents", async () => {
    const prompts = ["a red cartoon character", "a cartoon character"];
    const images = await pair.generate({ prompts, ...short });
    const expected = [];
    for await (const event of generate(pair, { prompts, ...short })) if (event.type === "image") expected.push(event);
    expect(images.map(({ prompt, seed }) => [prompt, seed])).toEqual([
      [prompts[0], 3],
      [prompts[0], 1],
      [prompts[1], 3],
      [prompts[1], 1],
    ]);
    for (const [i, image] of images.entries()) {
      expect(image).toMatchObject(expected[i]?.image ?? {});
      expect(image.latents).toEqual(expected[i]?.latents);
      expect(image).toMatchObject(size);
    }
  });

  it("stops at a signal", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    const images = pair.generate({ prompt: "x", ...short }, controller.signal);
    controller.abort(reason);
    await expect(images).rejects.toBe(reason);
  });

  it.each([
    ["no prompt", { seeds: [0] }, /neither prompt nor prompts is given/, "prompt"],
    ["both", { prompt: "x", prompts: ["x"] }, /prompt and prompts are both given/, "prompt"],
    ["an unknown field", { prompt: "x", stepz: 4 }, /"stepz" is not a field; did you mean "steps"\?/, "stepz"],
    ["no request", undefined, /^a request is undefined; expected an object, such as \{ prompt/, undefined],
    ["a prompt alone", "x", /^a request is string; expected an object/, undefined],
    ["prompts alone", ["x"], /^a request is an array; expected an object/, undefined],
    ["a value of another type", { prompt: "x", seeds: 4 }, /seeds is 4/, "seeds"],
  ])("refuses %s from plain JavaScript", async (_, request, message, field) => {
    const wrong = () => pair.generate(request as unknown as { prompt: string });
    await expect(wrong()).rejects.toBeInstanceOf(RequestError);
    await expect(wrong()).rejects.toThrow(message);
    await expect(wrong()).rejects.toMatchObject({ field });
  });

  it("refuses a misspelt field in the loop of events too", async () => {
    const request: unknown = { prompt: "x" };
    const events = generate(pair, request as { prompts: string[] });
    await expect(events.next()).rejects.toThrow(/"prompt" is not a field; did you mean "prompts"\?/);
  });
});

describe("openPair", () => {
  it("refuses a field that does not exist, in both arguments", async () => {
    const unknown: object = { treads: 2 };
    await expect(openPair(unknown)).rejects.toThrow(/"treads" is not a field; did you mean "threads"\?/);
    await expect(openPair({}, unknown)).rejects.toBeInstanceOf(RequestError);
    await expect(openPair({ device: "gpu" } as object)).rejects.toThrow(/device is "gpu"/);
  });

  it("closes at the end of the block of await using", async () => {
    let used: typeof pair;
    {
      await using own = await openPair({ threads: 1 });
      used = own;
    }
    await expect(used.generate({ prompt: "x" })).rejects.toThrow(/closed/);
  });
});

describe("savePng", () => {
  it("writes an image with its prompt, seed and plan, into a new folder", async () => {
    const [image] = await pair.generate({ prompt: "a cartoon character", negative: "a hat", seeds: [5], size });
    const file = path.join(temporaryFolder(), "new", "5.png");
    if (!image) throw new Error("no image");
    expect(await savePng(image, file, { note: "größer" })).toBe(file);
    const text = await readPngText(readFileSync(file));
    const made: unknown = JSON.parse(text.get("variegate") ?? "");
    expect(made).toMatchObject({ prompt: "a cartoon character", negative: "a hat", seed: 5 });
    expect(made).toHaveProperty("plan.rows");
    expect(text.get("note")).toBe("größer");
    const { default: sharp } = await import("sharp");
    expect(new Uint8Array(await sharp(file).removeAlpha().raw().toBuffer())).toEqual(new Uint8Array(image.data));
  });

  it.each([
    ["no image", undefined, "x.png", /^savePng: the image is undefined; expected one of pair.generate\(\)/],
    ["null", null, "x.png", /^savePng: the image is null/],
    ["an array of images", [{}], "x.png", /^savePng: the image is without width, height and data/],
    ["no path", { width: 1, height: 1, data: new Uint8Array(3) }, undefined, /^savePng: the path is undefined/],
    ["an empty path", { width: 1, height: 1, data: new Uint8Array(3) }, "", /^savePng: the path is empty/],
  ])("refuses %s from plain JavaScript", async (_, image, file, message) => {
    const wrong = savePng as (image: unknown, file: unknown) => Promise<string>;
    await expect(wrong(image, file)).rejects.toBeInstanceOf(RequestError);
    await expect(wrong(image, file)).rejects.toThrow(message);
  });

  it("says which file cannot be written", async () => {
    const image = { width: 1, height: 2, data: new Uint8Array(6) };
    await expect(savePng(image, "/proc/none/1.png")).rejects.toBeInstanceOf(FileError);
  });
});
