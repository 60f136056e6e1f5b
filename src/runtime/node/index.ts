export { openRuntime } from "./runtime.js";
