/** Images of a run as PNG files with the record of how they were made, in the page. Text chunks as in the PNG specification, 11.3.3. */
import type { RgbImage } from "../../../src/browser/index.js";

/** Bytes before the first chunk that may hold text: the signature, and the header. */
const HEAD = 33;

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (TABLE[(c ^ byte) & 255] ?? 0) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

function drawn({ width, height, data }: RgbImage): HTMLCanvasElement {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = data[3 * i + c] ?? 0;
  }
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}

/** Data URL of a small picture. */
export const pictureUrl = (image: RgbImage): string => drawn(image).toDataURL("image/png");

/** PNG with text chunks by keyword (iTXt, whose text is UTF-8). */
export async function encodePng(image: RgbImage, text: Readonly<Record<string, string>>): Promise<Blob> {
  const plain = await new Promise<Blob | null>((resolve) => drawn(image).toBlob(resolve, "image/png"));
  if (!plain) throw new Error("the browser could not encode an image");
  const chunks = Object.entries(text).map(([key, value]) => chunk(`iTXt${key}\0\0\0\0\0${value}`));
  return new Blob([plain.slice(0, HEAD), ...chunks, plain.slice(HEAD)], { type: "image/png" });
}

function chunk(text: string): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(text);
  const bytes = new Uint8Array(body.length + 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length - 4);
  bytes.set(body, 4);
  view.setUint32(body.length + 4, crc32(body));
  return bytes;
}

/** Text of a chunk that is not compressed; null where a PNG has none with this keyword. */
export async function readPngText(file: Blob, keyword: string): Promise<string | null> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const view = new DataView(bytes.buffer);
  const latin = new TextDecoder("latin1");
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = latin.decode(bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    const end = body.indexOf(0);
    if ((type === "tEXt" || type === "iTXt") && latin.decode(body.subarray(0, end)) === keyword) {
      // iTXt: flag and method of compression, then a language and a translated keyword, which end with a zero each.
      const start = type === "tEXt" ? end + 1 : body.indexOf(0, body.indexOf(0, end + 3) + 1) + 1;
      return new TextDecoder().decode(body.subarray(start));
    }
    at += length + 12;
  }
  return null;
}

/** Pixels of a PNG. */
export async function decodePng(file: Blob): Promise<RgbImage> {
  const bitmap = await createImageBitmap(file);
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context?.drawImage(bitmap, 0, 0);
  const pixels = context?.getImageData(0, 0, width, height).data ?? [];
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[3 * i + c] = pixels[4 * i + c] ?? 0;
  }
  return { width, height, data };
}
