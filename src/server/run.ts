/** A run of the studio while it is in memory, and the events that its readers see. */
import type { GenerateRequest } from "../generate/index.js";
import type { EventLog } from "./event-log.js";
import type { ImageRecord, RunRecord, RunState } from "./history.js";

/** Steps whose x0 is shown while a run goes on: none, the first, or all. */
export const PREVIEWS = ["none", "first", "all"] as const;
export type Previews = (typeof PREVIEWS)[number];

export interface Run extends Omit<RunRecord, "state" | "request" | "error"> {
  readonly request: GenerateRequest;
  readonly previews: Previews;
  state: RunState;
  error: RunRecord["error"];
  readonly images: ImageRecord[];
  readonly log: EventLog;
  readonly controller: AbortController;
  /** How far it is; null until it starts. */
  progress: Progress | null;
}

/** Progress of a run. */
export interface Progress {
  /** Steps of samples, and those that are done. */
  readonly steps: number;
  done: number;
  /** Step of the plan, of so many. */
  step: number;
  readonly of: number;
  /** Milliseconds since the epoch. */
  readonly started: number;
  /** The latest preview, a data URL. */
  preview: string | null;
}

/** States in which a run has ended. */
export type EndState = Exclude<RunState, "queued" | "running">;

/** Events of a run in addition to those of `generate` in their JSON form, where an image has its id instead of its latents. */
export type RunEvent =
  | { readonly type: "queued"; readonly ahead: number }
  | { readonly type: "started" }
  /** x0 of a step as a small image, a data URL. */
  | {
      readonly type: "preview";
      readonly prompt: number;
      readonly seed: number;
      readonly step: number;
      readonly image: string;
    }
  /** An image that is saved. */
  | { readonly type: "image"; readonly image: ImageRecord }
  /** Last event of a run. */
  | { readonly type: "ended"; readonly state: EndState; readonly error: RunRecord["error"] };

/**
 * Images by prompt, then in the order of the request's seeds. Those that begin with rows of an earlier run are saved apart, because they
 * share no model call with the others.
 */
export function inOrder<I extends Pick<ImageRecord, "prompt" | "seed">>(
  { seeds }: RunRecord["request"],
  images: readonly I[],
): I[] {
  const places = new Map(Array.isArray(seeds) ? seeds.map((seed, place) => [seed, place]) : []);
  return [...images].sort((a, b) => a.prompt - b.prompt || (places.get(a.seed) ?? 0) - (places.get(b.seed) ?? 0));
}

/** Why a run was aborted: its state afterwards. */
export class RunStopped extends Error {
  constructor(readonly state: EndState) {
    super(`the run is ${state}`);
  }
}
