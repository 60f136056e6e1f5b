/** Pages of traces and sliders: body, style and script from assets/, and the data with its images. */
import { readFileSync } from "node:fs";
import type { Slide, SlideStrip } from "../control/index.js";
import { imageUrl, previewUrl } from "../files/index.js";
import type { Versions } from "../inspect/index.js";
import { html, jsonScript, markup, renderPage, script } from "../report/index.js";
import type { Trace, TracedImages } from "../trajectory/index.js";

interface Run {
  readonly versions: Versions;
}

/** Pixels on the longer side of x0 and x_t on the page of a trace: a 50-step run has a hundred of them for each seed. */
const [STEP_SIDE, NOISE_SIDE] = [160, 64];

/** Page of a trace. */
export async function tracePage(trace: Trace, images: readonly TracedImages[], run: Run): Promise<string> {
  const shown = [];
  for (const { mode, seed, x0, xt, final } of images) {
    const [x0s, xts] = [
      x0.map((image) => previewUrl(image, STEP_SIDE)),
      xt.map((image) => previewUrl(image, NOISE_SIDE)),
    ];
    shown.push({ mode, seed, x0: await Promise.all(x0s), xt: await Promise.all(xts), final: await imageUrl(final) });
  }
  return viewer("trace", "Trace", { ...trace, versions: run.versions, images: shown });
}

/** Page of a slider. */
export async function slidePage(slide: Slide, strips: readonly SlideStrip[], run: Run): Promise<string> {
  const shown = [];
  for (const { mode, seed, images } of strips)
    shown.push({ mode, seed, images: await Promise.all(images.map((image) => imageUrl(image))) });
  const small = Math.max(...strips.flatMap((s) => s.images.map((i) => i.width))) <= 256;
  return viewer("slide", "Slider", { ...slide, small, versions: run.versions, strips: shown });
}

/** Page of assets/<name>: body, style and script after those of all viewers, with the data in a JSON script element of that name. */
function viewer(name: string, title: string, data: unknown): string {
  const asset = (file: string) => readFileSync(new URL(`../../assets/${file}`, import.meta.url), "utf8");
  const both = (file: string) => `${asset(`viewer/${file}`)}\n${asset(`${name}/${file}`)}`;
  return renderPage({
    title,
    style: both("page.css"),
    kind: "viewer",
    body: html`${markup(asset(`${name}/body.html`))}${jsonScript(name, data)}\n${script(both("page.js"))}`,
  });
}
