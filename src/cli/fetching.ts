/** What a person sees of models that are looked up and fetched before anything can run. */
import type { Fetching } from "../index.js";
import type { Terminal } from "./terminal.js";

/** For whoever opens models: shows on the terminal what is fetched, and stops with the signal. */
export const fetching = (_: Terminal, signal?: AbortSignal): Fetching => (signal ? { signal } : {});
