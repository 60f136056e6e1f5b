export { type FolderOptions, readImages } from "./images.js";
export { readSliderPrompts } from "./slider-prompts.js";
