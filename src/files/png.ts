/** PNG files and their text chunks, which say how an image was made (PNG specification, 11.3.3). */
import { crc32 } from "node:zlib";
import type { RgbImage } from "../tensor/index.js";

/** Longer texts are left out when a file is read; ComfyUI's whole graph has a few hundred kilobytes. */
const LONGEST = 8_000_000;

/** Encodes an image. Each entry of `text` becomes a text chunk. The file states no resolution. */
export async function encodePng(image: RgbImage, text: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
  const { width, height, data } = image;
  const { default: sharp } = await import("sharp");
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return withPngText(withoutResolution(png), text);
}

/** sharp states 1 pixel per mm, which layout programs take as 25.4 dpi: the chunk pHYs is left out. */
function withoutResolution(png: Buffer): Buffer {
  const at = png.indexOf("pHYs", 0, "latin1") - 4;
  return at < 33 || png.readUInt32BE(at) !== 9 ? png : Buffer.concat([png.subarray(0, at), png.subarray(at + 21)]);
}

/** Decodes the pixels of an RGB PNG that `encodePng` wrote. */
export async function decodePng(png: Uint8Array): Promise<RgbImage> {
  const { default: sharp } = await import("sharp");
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data) };
}

/** Adds text chunks after the header: an 8-byte signature and the 25 bytes of IHDR come first. */
export function withPngText(png: Uint8Array, text: Readonly<Record<string, string>>): Uint8Array {
  const chunks = Object.entries(text).map(([key, value]) => textChunk(key, value));
  return Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]);
}

/**
 * Text chunks before the pixels of a PNG, by keyword: plain, compressed and international ones (tEXt, zTXt, iTXt). Empty for other
 * files and for a PNG whose header cannot be read. Texts of more than 8 million characters are left out.
 */
export async function readPngText(file: Uint8Array): Promise<ReadonlyMap<string, string>> {
  const comments = await commentsOf(file);
  const texts = comments.map(({ keyword, text }) => {
    const isUtf8 = !text.includes("\ufffd");
    return [keyword, isUtf8 ? text : (latin1Text(file, keyword) ?? text)] as const;
  });
  return new Map(texts.filter(([, text]) => text.length <= LONGEST));
}

async function commentsOf(file: Uint8Array) {
  const { default: sharp } = await import("sharp");
  try {
    return (await sharp(file).metadata()).comments ?? [];
  } catch {
    return [];
  }
}

/** The text of a tEXt chunk in Latin-1, as the specification says and Pillow writes; sharp reads every text as UTF-8. */
function latin1Text(file: Uint8Array, keyword: string): string | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const at = bytes.indexOf(`tEXt${keyword}\0`, 0, "latin1");
  if (at < 4) return undefined;
  const end = at + 4 + bytes.readUInt32BE(at - 4);
  return bytes.toString("latin1", at + 4 + keyword.length + 1, end);
}

/** tEXt for ASCII, which every reader decodes alike; else iTXt, whose text is UTF-8. */
function textChunk(key: string, value: string): Uint8Array {
  const isAscii = /^[\x20-\x7e\n]*$/.test(value);
  const body = Buffer.from(isAscii ? `tEXt${key}\0${value}` : `iTXt${key}\0\0\0\0\0${value}`, "utf8");
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(body.length - 4, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}
