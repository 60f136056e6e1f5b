export { webGpuAdapter } from "./adapter.js";
export type { RuntimeFiles } from "./files.js";
export { ADDRESSABLE } from "./placement.js";
export { availableThreads, openRuntime, type WebRuntimeOptions } from "./runtime.js";
