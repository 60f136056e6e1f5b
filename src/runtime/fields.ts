/** Part of this room that describes requests. Help and options load it without the code that runs models. */
export { DEVICES, UPCASTS } from "./runtime.js";
