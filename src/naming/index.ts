export { clipNames, type Place } from "./clip.js";
export { diffusersNames, type Level, stabilityNames, type UNetOutline, unetOutline } from "./unet.js";
export { vaeNames } from "./vae.js";
