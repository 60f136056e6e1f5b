export { clipNames, type Place } from "./clip.js";
export { DRAWN, otherClass } from "./others.js";
export { FAMILY_NAMES, type Family, isAdapterFile, type Recognised, recognise, type Shapes } from "./recognise.js";
export { tinyNames } from "./taesd.js";
export { diffusersNames, stabilityNames } from "./unet.js";
export { vaeNames } from "./vae.js";
