/** Part of this room that describes requests. Help and options load it without the code that runs models. */
export { parseScale, resolveScale, scaleSchema } from "./scale.js";

/** Dialects in which adapters can be written. */
export const DIALECTS = ["peft", "kohya"] as const;

/** Largest rank of a low-rank approximation. */
export const LARGEST_RANK = 502;
