/** Draws contact sheets: labelled rows and columns of images, as one PNG. */
import { fileURLToPath } from "node:url";
import type { Sharp } from "sharp";
import { type Html, html, render } from "../report/index.js";
import type { RgbImage } from "../tensor/index.js";

export interface SheetSection {
  readonly title: string;
  /** Labels above the columns. */
  readonly columns?: readonly string[];
  /** Columns in titled groups with a space between them, instead of `columns`. */
  readonly groups?: readonly { readonly title: string; readonly columns: readonly string[] }[];
  readonly rows: readonly SheetRow[];
}

export interface SheetRow {
  readonly label: string;
  /** Lines below the label, such as the cost of the images. */
  readonly notes?: readonly string[];
  readonly images: readonly RgbImage[];
}

const [MARGIN, GAP, TITLE, HEAD, LABEL, BETWEEN] = [16, 4, 34, 22, 108, 28];
/** Factor of the labels on a sheet with groups of columns, which is wide and so is looked at reduced. */
const LARGER = 1.6;
/** Font size of notes, their line height, and the mean width of a character, in pixels. */
const NOTE = { size: 11, line: 16, width: 6.6 };
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
  const notes = sections.flatMap((section) => section.rows.flatMap((row) => row.notes ?? []));
  const label = Math.max(LABEL, ...notes.map((note) => Math.ceil(note.length * NOTE.width) + 2 * GAP));
  for (const section of sections) {
    const cell = cellOf(section);
    const groups = section.groups ?? [{ title: "", columns: section.columns ?? [] }];
    const larger = section.groups ? LARGER : 1;
    const starts = leftsOf(groups, section.rows, cell.width, label);
    labels.push(text(MARGIN, top + 20 * larger, section.title, 16 * larger));
    top += Math.round(TITLE * larger);
    let column = 0;
    for (const { title, columns } of groups) {
      if (title !== "") labels.push(text(starts[column] ?? 0, top + 14 * larger, title, 14 * larger));
      const under = title === "" ? 14 : 14 * larger + 24;
      for (const name of columns) {
        labels.push(text((starts[column++] ?? 0) + cell.width / 2, top + under, name, 12 * larger, "middle"));
      }
    }
    top += section.groups ? Math.round(HEAD * larger) + 24 : HEAD;
    for (const row of section.rows) {
      const lines = row.notes ?? [];
      const middle = top + cell.height / 2 + 5 - (lines.length * NOTE.line) / 2;
      labels.push(text(MARGIN, middle, row.label, 14 * larger));
      labels.push(...lines.map((line, i) => text(MARGIN, middle + (i + 1) * NOTE.line, line, NOTE.size)));
      for (const [i, image] of row.images.entries()) {
        const left = starts[i] ?? 0;
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

/** Left edge of each column: one after the other, with a wider space between groups. */
function leftsOf(
  groups: NonNullable<SheetSection["groups"]>,
  rows: readonly SheetRow[],
  width: number,
  label: number,
): number[] {
  const count = Math.max(0, ...rows.map((row) => row.images.length));
  const first = new Set(
    groups.slice(1).map((_, g) => groups.slice(0, g + 1).reduce((n, own) => n + own.columns.length, 0)),
  );
  let left = MARGIN + label;
  return Array.from({ length: count }, (_, i) => {
    if (first.has(i)) left += BETWEEN;
    const here = left;
    left += width + GAP;
    return here;
  });
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
