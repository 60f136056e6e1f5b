/** Pages that open from disk: a template, its style and program, and data with its pictures, in one file that asks nothing of a network. */
import { readFileSync } from "node:fs";
import type { Slide, SlideStrip } from "../control/index.js";
import type { Versions } from "../inspect/index.js";
import type { RgbImage } from "../tensor/index.js";
import type { Trace, TracedPictures } from "../trajectory/index.js";

interface Run {
  readonly versions: Versions;
}

/** The page of a trace. */
export async function tracePage(trace: Trace, pictures: readonly TracedPictures[], run: Run): Promise<string> {
  const shown = [];
  for (const { mode, seed, x0, xt, final } of pictures) {
    const all = await Promise.all([...x0, ...xt, final].map(dataUrl));
    shown.push({ mode, seed, x0: all.slice(0, x0.length), xt: all.slice(x0.length, -1), final: all.at(-1) });
  }
  return page("trace", { ...trace, versions: run.versions, pictures: shown });
}

/** The page of a slider. */
export async function slidePage(slide: Slide, strips: readonly SlideStrip[], run: Run): Promise<string> {
  const shown = [];
  for (const { mode, seed, images } of strips)
    shown.push({ mode, seed, images: await Promise.all(images.map(dataUrl)) });
  const small = Math.max(...strips.flatMap((s) => s.images.map((i) => i.width))) <= 256;
  return page("slide", { ...slide, small, versions: run.versions, strips: shown });
}

/** Fills the template of a folder under assets/; its data element has the folder's name. */
function page(name: string, data: unknown): string {
  const part = (file: string) => readFileSync(new URL(`../../assets/${name}/${file}`, import.meta.url), "utf8");
  // "<" never stands in the data: no text of a prompt can end the script.
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  const slots = [
    ['<style id="style"></style>', `<style>${part("page.css")}</style>`],
    [`<script type="application/json" id="${name}">null`, `<script type="application/json" id="${name}">${json}`],
    ['<script id="program">', `<script>${part("page.js")}`],
  ] as const;
  return slots.reduce((text, [slot, filled]) => text.replace(slot, () => filled), part("page.html"));
}

/** Small pictures keep every pixel; large ones are for looking at. */
async function dataUrl({ width, height, data }: RgbImage): Promise<string> {
  const { default: sharp } = await import("sharp");
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const small = Math.max(width, height) <= 128;
  const bytes = small ? await image.png().toBuffer() : await image.webp({ quality: 88 }).toBuffer();
  return `data:image/${small ? "png" : "webp"};base64,${bytes.toString("base64")}`;
}
