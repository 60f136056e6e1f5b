/** Request of an experiment run, and its callbacks. */
import type { Reason } from "../catalogue/index.js";
import type { WorkerNote } from "../fleet/index.js";
import type { DownloadOptions } from "../hub/index.js";
import type { AttributeRequest } from "../measure/index.js";
import type { Definition } from "./definition.js";
import type { ModelRequest } from "./models.js";
import type { FolderRules } from "./store.js";

export interface ExperimentRequest extends ModelRequest, FolderRules, AttributeRequest {
  readonly definitions: readonly Definition[];
  /** Output folder. */
  readonly out: string;
  /** Real images, for measures against a reference: a folder, or a .safetensors file of their features. */
  readonly reference?: string;
  /** Number of processes that generate in parallel. Default 1; times are measured with 1 only. */
  readonly workers?: number;
  /** Keeps every image, as images/CELL/N.png. */
  readonly saveImages?: boolean;
  /** Generates on the workers of a queue. */
  readonly fleet?: FleetRequest;
  /** The command line, for the report. */
  readonly command: string;
  /** How the distilled model was made, for the report. */
  readonly student?: string;
  /** Why claims do not hold on these models, where it is known. */
  readonly reasons?: readonly Reason[];
}

export interface RunOptions extends DownloadOptions {
  /** Called with the number of model calls done, the total, and the current row. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
  /** Called twice a second with the progress of an experiment on a queue. */
  readonly onFleet?: (state: FleetState) => void;
  /** Called with messages for the user. */
  readonly onMessage?: (text: string) => void;
}

/** Called with the number of model calls since the last time, and the current row. */
export type CallListener = (calls: number, row: string) => void;

/** How the cells of an experiment are kept on a queue. */
export interface BatchSettings {
  readonly name: string;
  /** Milliseconds. */
  readonly lease: number;
  readonly attempts: number;
  readonly backoff: number;
  readonly saveImages: boolean;
}

/** Queue and store of an experiment. */
export interface FleetRequest extends Partial<BatchSettings> {
  /** redis://…, rediss://… or a folder. */
  readonly queue: string;
  /** s3://… or a folder. */
  readonly store: string;
}

/** Progress of an experiment on a queue. */
export interface FleetState {
  readonly name: string;
  readonly cancelled: boolean;
  readonly cells: number;
  readonly done: number;
  readonly failed: number;
  readonly running: number;
  /** Failed cells that wait to be tried again are among them. */
  readonly waiting: number;
  readonly delayed: number;
  readonly workers: readonly WorkerNote[];
  /** Images per second of all workers. */
  readonly rate: number;
  /** Seconds that the workers need for the rest; null while they have finished no cell. */
  readonly left: number | null;
}

/** A worker of the experiments on a queue. */
export interface FleetWorkerRequest {
  readonly queue: string;
  readonly store: string;
  /** Device, threads and model folders of this machine; models that are at another place than the experiment says. */
  readonly models: ModelRequest;
  /** Ends when the queue has nothing left to do. */
  readonly untilDone?: boolean;
  /** Number of such processes that were started together. */
  readonly concurrency: number;
}

export interface FleetWorkerOptions extends DownloadOptions {
  readonly onMessage?: (text: string) => void;
}
