/**
 * What the page needs from a program that generates: the models, plans, runs with their events, a history. The page speaks to it through
 * this interface only; `http.ts` is the server of this machine.
 */
import type { components } from "./api.js";

type Schemas = components["schemas"];

/** Request to generate: only the prompts are required. */
export type Request = Schemas["Request"];
export type RequestAdapter = NonNullable<Request["adapters"]>[number];
export type AdapterTarget = NonNullable<RequestAdapter["on"]>;

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

/** Rows of a plan, and where the number of rows that the base runs comes from. */
export interface Plan {
  readonly rows: readonly PlanRow[];
  readonly switchFrom: string;
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
  /** Seeds that go on, of those that ran a row. */
  | { readonly type: "chosen"; readonly prompt: number; readonly of: number; readonly seeds: readonly number[] }
  | { readonly type: "image"; readonly image: Image }
  | { readonly type: "ended"; readonly state: string; readonly error: { readonly message: string } | null };

export interface SampleKey {
  readonly prompt: number;
  readonly seed: number;
}

export type Previews = "none" | "first" | "all";

export interface FollowOptions {
  readonly onEvent: (event: RunEvent) => void;
  /** Stops listening. */
  readonly signal: AbortSignal;
}

export interface RunOptions extends FollowOptions {
  /** Steps whose x0 is sent as an image. */
  readonly previews: Previews;
  /** Runs of one lane supersede each other. */
  readonly lane: string;
  /** Called with the id when the run is accepted. */
  readonly onAccepted?: (id: string) => void;
  /** Stops listening, and cancels the run if it has not been superseded. */
  readonly signal: AbortSignal;
}

/** What an adapter is called, and where it is. */
export interface AdapterFacts {
  readonly ref: string;
  readonly name: string;
  readonly from: string;
}

export const FORMS = ["command", "library", "diffusers", "comfyui"] as const;
export type Form = (typeof FORMS)[number];

export interface Written {
  readonly text: string;
  /** Name for a file with this text. */
  readonly file: string;
  /** What to know before it is run. */
  readonly notices: readonly string[];
}

/** What a record says. */
export interface Restored {
  readonly request: Request;
  /** The image of a PNG among those of the request. */
  readonly image: SampleKey | null;
  /** What differs here from the record. */
  readonly notices: readonly string[];
}

/** A mean with its 95 % interval. */
export interface Estimate {
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
}

/** Mean pairwise distances of images: of CLIP features where there is a CLIP, and of pixels. */
export interface Diversity {
  readonly clip: Estimate | null;
  readonly pixels: Estimate;
}

/** x0 of a step. */
export interface Frame {
  readonly timestep: number;
  readonly model: ModelName;
  /** Address of a small picture. */
  readonly image: string;
  /** Distance to the final image: the commit curve. */
  readonly distance: number;
}

/** Similarity of each x0 to a phrase, and what follows from it. */
export interface Concept {
  readonly phrase: string;
  readonly similarity: readonly number[];
  readonly threshold: number;
  readonly finding: { readonly kind: "dropped" | "late"; readonly step: number } | null;
}

export interface Trace {
  readonly frames: readonly Frame[];
  readonly concepts: readonly Concept[];
}

export interface Models {
  readonly pairs: readonly { readonly name: string; readonly about: string; readonly cached: boolean }[];
  readonly files: readonly { readonly ref: string; readonly kind: string }[];
}

export interface ModelReport {
  readonly ok: boolean;
  readonly sentences: readonly string[];
}

/** A named pair, or a base with a distilled model. */
export type PairReference = ({ readonly pair: string } | { readonly base: string; readonly distilled?: string }) & {
  /** Token of the Hub, for backends with options. */
  readonly token?: string;
  readonly device?: "webgpu";
};

/** What `openPair` takes. */
export interface Takes {
  /** Kinds of references, in words. */
  readonly about: string;
  /** A token, and a device. */
  readonly options: boolean;
}

export interface Backend {
  readonly takes: Takes;
  pair(): Promise<PairFacts>;
  plan(request: Request): Promise<Plan>;
  /** Generates. Resolves with the last event. @throws BackendError when the request is refused */
  run(request: Request, options: RunOptions): Promise<RunEvent & { readonly type: "ended" }>;
  /** The run of a grid that waits or goes on, of this page before it was loaded again, else of another one; null if there is none. */
  going(): Promise<Run | null>;
  /** Follows a run from its beginning, as far as its events are kept. Resolves with the last one. */
  follow(run: Run, options: FollowOptions): Promise<RunEvent & { readonly type: "ended" }>;
  /** Ends a run after its current model call. */
  cancel(id: string): Promise<void>;
  /** Removes a superseded run, unless one of its images is a favourite. */
  forget(id: string): Promise<void>;
  /** Removes a run with its images. */
  remove(id: string): Promise<void>;
  /** Runs with images, the newest first, without those of this page that are no grid. */
  history(before?: string): Promise<readonly Run[]>;
  one(id: string): Promise<Run>;
  /** Marks an image as a favourite, or no longer. */
  favourite(id: string, isFavourite: boolean): Promise<Image>;
  favourites(): Promise<readonly Image[]>;
  /** Adapters that a request may name. */
  adapters(): Promise<readonly AdapterFacts[]>;
  /** Adds the file of an adapter. @throws BackendError with the reason when it is refused */
  addAdapter(file: File): Promise<AdapterFacts>;
  /** The request that a PNG or a run.json records. @throws BackendError when it records none */
  restore(file: File): Promise<Restored>;
  /** Forms that `write` has. */
  readonly forms: readonly Form[];
  /** The request as text for another program. */
  write(request: Request, form: Form): Promise<Written>;
  diversity(images: readonly string[]): Promise<Diversity>;
  /** Looks inside an image: makes it again, and reads x0 at every step. */
  trace(image: string, phrases: readonly string[]): Promise<Trace>;
  /** Models that could be opened. */
  models(): Promise<Models>;
  /** What a model is, and whether it can be opened; a distilled model beside its base. */
  checkModel(ref: string, base?: string): Promise<ModelReport>;
  /** Opens another pair. Resolves when it is open. @throws BackendError with the reason when it cannot be */
  openPair(reference: PairReference, onProgress: (text: string) => void): Promise<PairFacts>;
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
