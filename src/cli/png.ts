/** PNG files: pixels by sharp, and a text chunk that tells how the picture was made (PNG specification, 11.3.3.3). */
import { crc32 } from "node:zlib";
import sharp from "sharp";
import type { RgbImage } from "../tensor/index.js";

/** Encodes a picture; `text` entries become tEXt chunks. JSON keeps them ASCII. */
export async function encodePng(image: RgbImage, text: Readonly<Record<string, unknown>> = {}): Promise<Uint8Array> {
  const { width, height, data } = image;
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return withText(png, text);
}

/** Puts the chunks after the header: an 8-byte signature and the 25 bytes of IHDR come first. */
export function withText(png: Uint8Array, text: Readonly<Record<string, unknown>>): Uint8Array {
  const chunks = Object.entries(text).map(([key, value]) => textChunk(key, ascii(JSON.stringify(value))));
  return Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]);
}

/** tEXt holds Latin-1: anything beyond ASCII is escaped, which JSON reads back. */
const ascii = (json: string) =>
  json.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

function textChunk(key: string, value: string): Uint8Array {
  const body = Buffer.from(`tEXt${key}\0${value}`, "latin1");
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(body.length - 4, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}
