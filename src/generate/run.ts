/** What the parts of the sampling loop share: the pair, the job, times so far. */
import type { Bindings } from "./bindings.js";
import type { GenerateCache } from "./cache.js";
import type { ImageGradients } from "./image-gradients.js";
import type { Job } from "./job.js";
import type { Pair } from "./pair.js";

/** Model calls, images and milliseconds of a run so far. */
export interface Timings {
  calls: number;
  images: number;
  encode: number;
  denoise: number;
  decode: number;
}

/** State of a run that the loop needs. */
export interface Run {
  readonly pair: Pair;
  readonly job: Job;
  readonly bindings: Bindings;
  readonly timings: Timings;
  /** Prompts whose encoding was announced. */
  readonly encoded: Set<number>;
  readonly signal: AbortSignal | undefined;
  /** Results of earlier runs; null for none. */
  readonly cache: GenerateCache | null;
  /** Gradients of image features, where hooks of the plan act on them; else null. */
  readonly gradients: ImageGradients | null;
}
