export { webGpuAdapter } from "./adapter.js";
export { ADDRESSABLE } from "./addressable.js";
export type { RuntimeFiles } from "./files.js";
export { availableThreads, openRuntime, type WebRuntimeOptions } from "./runtime.js";
