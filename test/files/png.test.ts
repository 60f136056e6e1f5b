import { crc32, deflateSync } from "node:zlib";
import fc from "fast-check";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { encodePng, readPngText, withPngText } from "../../src/files/index.js";

const IMAGE = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => 13 * i) };
const PLAIN = await encodePng(IMAGE);

/** The image with one more chunk behind its header. */
function withChunk(kind: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), ...parts]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length - 4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([PLAIN.subarray(0, 33), length, body, check, PLAIN.subarray(33)]);
}
const latin1 = (text: string) => Buffer.from(text, "latin1");

describe("PNG text", () => {
  it("comes back as it was written, in every script", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.string({ unit: "binary" }), async (value, prompt) => {
        const made = { value, prompt: `${prompt} ł 日本語 🙂 \ud800` };
        const read = await readPngText(
          withPngText(PLAIN, { variegate: JSON.stringify(made), other: prompt.replaceAll("\0", "") }),
        );
        expect([...read.keys()]).toEqual(["variegate", "other"]);
        expect(JSON.parse(read.get("variegate") ?? "")).toEqual(JSON.parse(JSON.stringify(made)));
        expect(read.get("other")).toBe(Buffer.from(prompt.replaceAll("\0", "")).toString());
      }),
      { numRuns: 50 },
    );
  });

  it("comes back when it is large, up to 8 million characters", async () => {
    const long = "日本語 🙂 ".repeat(150_000);
    expect((await readPngText(withPngText(PLAIN, { long }))).get("long")).toBe(long);
    expect((await readPngText(withPngText(PLAIN, { long: "x".repeat(8_000_001) }))).size).toBe(0);
  });

  it("stands beside the pixels", async () => {
    const png = await encodePng(IMAGE, { parameters: "a café" });
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([3, 2]);
    expect(Uint8Array.from(data)).toEqual(IMAGE.data);
  });

  it("leaves the resolution open", async () => {
    expect(Buffer.from(PLAIN).includes("pHYs")).toBe(false);
    expect(Buffer.from(await encodePng({ width: 1, height: 1, data: Uint8Array.of(1, 2, 3) })).includes("pHYs")).toBe(
      false,
    );
  });

  it.each([
    ["Latin-1, as Pillow writes it", withChunk("tEXt", latin1("parameters\0caf\xe9 \xfcber \xff"))],
    ["compressed text", withChunk("zTXt", latin1("parameters\0\0"), deflateSync(Buffer.from("café über ÿ")))],
    ["international text", withChunk("iTXt", latin1("parameters\0\0\0de\0\0"), Buffer.from("café über ÿ"))],
    ["UTF-8 in plain text", withChunk("tEXt", latin1("parameters\0"), Buffer.from("café über ÿ"))],
  ])("reads %s", async (_, png) => {
    expect([...(await readPngText(png))]).toEqual([["parameters", "café über ÿ"]]);
  });

  it("is empty for other files and for one cut short", async () => {
    expect((await readPngText(Buffer.from("GIF89a and more"))).size).toBe(0);
    expect((await readPngText(PLAIN.subarray(0, 20))).size).toBe(0);
    expect((await readPngText(new Uint8Array())).size).toBe(0);
  });
});
