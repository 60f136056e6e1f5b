/** PNG files and their text chunks, which say how an image was made (PNG specification, 11.3.3). */
import { crc32 } from "node:zlib";
import type { RgbImage } from "../tensor/index.js";

/** Longer texts are left out when a file is read; ComfyUI's whole graph has a few hundred kilobytes. */
const LONGEST = 8_000_000;

/** Encodes an image; each entry of `text` becomes a text chunk that holds the value as JSON. */
export async function encodePng(image: RgbImage, text: Readonly<Record<string, unknown>> = {}): Promise<Uint8Array> {
  const { width, height, data } = image;
  const { default: sharp } = await import("sharp");
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return withPngText(png, text);
}

/** Adds text chunks after the header: an 8-byte signature and the 25 bytes of IHDR come first. */
export function withPngText(png: Uint8Array, text: Readonly<Record<string, unknown>>): Uint8Array {
  const chunks = Object.entries(text).map(([key, value]) => textChunk(key, ascii(JSON.stringify(value))));
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
