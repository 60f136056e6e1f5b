export { openRuntime } from "./node/runtime.js";
export {
  DEVICES,
  type Device,
  type ModelBytes,
  type RunResult,
  type Runtime,
  type RuntimeOptions,
  type Session,
  type Upcast,
} from "./runtime.js";
