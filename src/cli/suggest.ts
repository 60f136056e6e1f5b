/** Advice for options of other tools that have no equivalent. */
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
  "--mode": "compare runs all modes; generate runs one by --mode, and trace, slide and explore a list",
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
