export { clipNames, type Place } from "./names/clip.js";
export { tinyNames } from "./names/taesd.js";
export { diffusersNames, stabilityNames } from "./names/unet.js";
export { vaeNames } from "./names/vae.js";
export { FAMILY_NAMES, type Family, isAdapterFile, type Recognised, recognise, type Shapes } from "./recognise.js";
export { DRAWN, otherClass } from "./unsupported.js";
