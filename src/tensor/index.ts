export * from "./half.js";
export * from "./image.js";
export * from "./matrix.js";
export * from "./quantise.js";
export * from "./random.js";
export * from "./resize.js";
export * from "./tensor.js";
export * from "./weight.js";
