export {
  DEVICES,
  type Device,
  type Model,
  type Placement,
  type RunResult,
  type Runtime,
  type RuntimeOptions,
  type Session,
  type Upcast,
} from "./runtime.js";
