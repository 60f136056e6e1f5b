/** Request of an experiment run, and its callbacks. */
import type { Reason } from "../catalogue/index.js";
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
  /** Called with messages for the user. */
  readonly onMessage?: (text: string) => void;
}

/** Called with the number of model calls since the last time, and the current row. */
export type CallListener = (calls: number, row: string) => void;
