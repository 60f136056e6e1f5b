/**
 * What the page needs from a program that generates: the models, plans, runs with their events, a history. The page speaks to it through
 * this interface only; `http.ts` is the server of this machine.
 */
import type { components } from "./api.js";

type Schemas = components["schemas"];

/** Adapter of a request. */
export interface RequestAdapter {
  readonly ref: string;
  readonly scale?: Schemas["Request"]["adapters"][number]["scale"];
  readonly on?: AdapterTarget;
  readonly allowUnmatched?: boolean;
}
export type AdapterTarget = "both" | "base" | "distilled";

/** Request to generate: only the prompts are required. */
export type Request = { readonly prompts: readonly string[]; readonly adapters?: readonly RequestAdapter[] } & Partial<
  Omit<Schemas["Request"], "prompts" | "adapters">
>;

export type Image = Schemas["Image"];
export type Run = Omit<Schemas["Run"], "request"> & { readonly request: Request };
export type PairFacts = Schemas["Pair"];
export type ModelName = "base" | "distilled";

/** Row of a plan, as far as the page shows it. */
export interface PlanRow {
  readonly kind: string;
  readonly timestep?: number;
  readonly model?: ModelName;
  readonly guidance?: number;
}

/** Events of a run that the page reads. */
export type RunEvent =
  | { readonly type: "queued"; readonly ahead: number }
  | { readonly type: "started" }
  | { readonly type: "notice"; readonly text: string }
  | ({
      readonly type: "step";
      readonly step: number;
      readonly steps: number;
      readonly model: ModelName;
      readonly timestep: number;
    } & SampleKey)
  | ({ readonly type: "preview"; readonly step: number; readonly image: string } & SampleKey)
  | { readonly type: "image"; readonly image: Image }
  | { readonly type: "ended"; readonly state: string; readonly error: { readonly message: string } | null };

export interface SampleKey {
  readonly prompt: number;
  readonly seed: number;
}

export interface RunOptions {
  /** Steps whose x0 is sent as an image. */
  readonly previews: "none" | "first" | "all";
  /** Runs of one lane supersede each other. */
  readonly lane: string;
  readonly onEvent: (event: RunEvent) => void;
  /** Called with the id when the run is accepted. */
  readonly onAccepted?: (id: string) => void;
  /** Stops listening, and cancels the run if it has not been superseded. */
  readonly signal: AbortSignal;
}

export interface Backend {
  pair(): Promise<PairFacts>;
  plan(request: Request): Promise<readonly PlanRow[]>;
  /** Generates. Resolves with the last event. @throws BackendError when the request is refused */
  run(request: Request, options: RunOptions): Promise<RunEvent & { readonly type: "ended" }>;
  /** Ends a run after its current model call. */
  cancel(id: string): Promise<void>;
  /** Removes a superseded run, unless one of its images is a favourite. */
  forget(id: string): Promise<void>;
  /** Runs with images, the newest first, without those of this page that are no grid. */
  /** Marks an image as a favourite, or no longer. */
  favourite(id: string, isFavourite: boolean): Promise<Image>;
  history(): Promise<readonly Run[]>;
}

/** A request that was refused, in the words of the program. */
export class BackendError extends Error {
  constructor(
    message: string,
    /** Field of the request that is at fault. */
    readonly field: string | null = null,
    /** Seconds until another try. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}
