/** The request of an experiment run, and how it reports on its way. */
import type { DownloadOptions } from "../hub/index.js";
import type { Definition } from "./definition.js";
import type { ModelRequest } from "./models.js";
import type { FolderRules } from "./store.js";

export interface ExperimentRequest extends ModelRequest, FolderRules {
  readonly definitions: readonly Definition[];
  /** Folder of the results. */
  readonly out: string;
  /** Real images, for measures against a reference: a folder, or a .safetensors with their features. */
  readonly reference?: string;
  /** Processes that generate at the same time. Default 1; times are measured with 1 only. */
  readonly workers?: number;
  /** The command line, for the report. */
  readonly command: string;
}

export interface RunOptions extends DownloadOptions {
  /** Model calls done, of how many, and the row at work. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
  readonly onNote?: (text: string) => void;
}

/** Hears of model calls done since the last time, and of the row at work. */
export type CallListener = (calls: number, row: string) => void;
