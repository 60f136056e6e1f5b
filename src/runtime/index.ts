export { DEVICES, type Device, type ModelBytes, type Widen } from "./protocol.js";
export { openRuntime, type RunResult, type Runtime, type RuntimeOptions, type Session } from "./runtime.js";
