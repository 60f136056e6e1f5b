/** Draws contact sheets: labelled rows and columns of images, as one PNG. */
import { fileURLToPath } from "node:url";
import type { Sharp } from "sharp";
import { type Html, html, render } from "../report/index.js";
import type { RgbImage } from "../tensor/index.js";

export interface SheetSection {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly label: string; readonly images: readonly RgbImage[] }[];
}

const [MARGIN, GAP, TITLE, HEAD, LABEL] = [16, 4, 34, 22, 108];
/** Approximate side of a cell in pixels. Smaller images are enlarged; larger ones are reduced to at most twice this side. */
const CELL = 128;

/** Draws sections below each other. */
export async function drawSheet(sections: readonly SheetSection[]): Promise<Uint8Array> {
  // Read by fontconfig when sharp first draws text, so that labels are the same on machines without fonts.
  process.env["FONTCONFIG_FILE"] ??= fileURLToPath(new URL("../../assets/fonts/fonts.conf", import.meta.url));
  const { default: sharp } = await import("sharp");
  const images: { input: Buffer; left: number; top: number }[] = [];
  const labels: Html[] = [];
  let top = MARGIN;
  let width = 0;
  for (const section of sections) {
    const cell = cellOf(section);
    labels.push(text(MARGIN, top + 20, section.title, 16));
    top += TITLE;
    for (const [i, label] of section.columns.entries()) {
      labels.push(text(MARGIN + LABEL + i * (cell.width + GAP) + cell.width / 2, top + 14, label, 12, "middle"));
    }
    top += HEAD;
    for (const row of section.rows) {
      labels.push(text(MARGIN, top + cell.height / 2 + 5, row.label, 14));
      for (const [i, image] of row.images.entries()) {
        const left = MARGIN + LABEL + i * (cell.width + GAP);
        images.push({ input: await scaled(sharp(image.data, raw(image)), image, cell), left, top });
        width = Math.max(width, left + cell.width + MARGIN);
      }
      top += cell.height + GAP;
    }
    top += MARGIN;
  }
  const size = { width, height: top };
  const svg = render(html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top}">${labels}</svg>`);
  return sharp({ create: { ...size, channels: 3, background: "#ffffff" } })
    .composite([...images, { input: Buffer.from(svg), left: 0, top: 0 }])
    .png()
    .toBuffer();
}

const raw = ({ width, height }: RgbImage) => ({ raw: { width, height, channels: 3 as const } });

function cellOf(section: SheetSection): { width: number; height: number } {
  const [first] = section.rows.flatMap((row) => row.images);
  const { width = CELL, height = CELL } = first ?? {};
  const longest = Math.max(width, height);
  // Integer factors keep the pixels of small images sharp.
  const scale = longest < CELL ? Math.max(1, Math.floor(CELL / longest)) : Math.min(1, (2 * CELL) / longest);
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

async function scaled(image: Sharp, { width }: RgbImage, cell: { width: number; height: number }): Promise<Buffer> {
  const kernel = cell.width > width ? "nearest" : "lanczos3";
  return image.resize(cell.width, cell.height, { kernel, fit: "fill" }).png().toBuffer();
}

const text = (x: number, y: number, label: string, size: number, anchor = "start") =>
  html`<text x="${x}" y="${y}" font-family="DejaVu Sans" font-size="${size}" text-anchor="${anchor}" fill="#222">${label}</text>`;
