/** Suggestions for mistyped commands and options, and for options of other tools that have no equivalent. */
import { distance } from "fastest-levenshtein";

/** Words from this many letters on may have two wrong ones; shorter ones one. */
const LONG = 8;

/** Two neighbouring letters in the wrong order count as one mistake. */
function mistakes(a: string, b: string): number {
  const swapped = [...a].some((_, i) => a.slice(0, i) + (a[i + 1] ?? "") + (a[i] ?? "") + a.slice(i + 2) === b);
  return swapped ? 1 : distance(a, b);
}

/** Names of which a word is a misspelling, the nearest only. */
export function nearest(word: string, names: Iterable<string>): string[] {
  const bare = (name: string) => name.replace(/^-+/, "");
  const most = bare(word).length < LONG ? 1 : 2;
  const found = [...names].map((name) => ({ name, wrong: mistakes(bare(word), bare(name)) }));
  const least = Math.min(most, ...found.map(({ wrong }) => wrong));
  return found.filter(({ wrong }) => wrong === least).map(({ name }) => name);
}

const NO_IMAGES = "images are no input: there is no image to image, inpainting or ControlNet yet";
const NO_MODEL = "this command takes no model by an option";
const MEMORY = "--memory-budget GB and --offload limit memory";

/** Options of other tools, and what to do instead. */
export const HINTS: Readonly<Record<string, string>> = {
  "--prompt": 'the prompt is an argument: variegate generate "a cartoon character"',
  "--lora-scale": "a scale is written behind its file: --lora FILE:0.8",
  "--lora-weight": "a scale is written behind its file: --lora FILE:0.8",
  "--lora-dir": "--a1111 DIR and --comfy DIR name folders, whose LoRAs are found by name",
  "--unet": "name a UNet with --distilled, or with --base beside --text-encoder and --decoder",
  "--refiner": "refiners are not supported",
  "--model": NO_MODEL,
  "--checkpoint": NO_MODEL,
  "--clip-stop-at-last-layers": "--clip-skip counts from 0: 2 in A1111 is 1 here",
  "--init-image": NO_IMAGES,
  "--image": NO_IMAGES,
  "--mask": NO_IMAGES,
  "--strength": NO_IMAGES,
  "--denoise": NO_IMAGES,
  "--lowvram": MEMORY,
  "--medvram": MEMORY,
  "--gpu": "--device webgpu and --device cuda run on a graphics card",
};
