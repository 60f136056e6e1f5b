/** Events of downloads. */

/** File of a download plan. */
export interface PlannedFile {
  readonly path: string;
  readonly bytes: number;
  /** Bytes in the cache. */
  readonly there: number;
}

export type DownloadEvent =
  /** The plan, once, before the first download. */
  | {
      readonly type: "fetch-plan";
      readonly repository: string;
      readonly revision: string;
      readonly commit: string;
      readonly files: readonly PlannedFile[];
      readonly bytes: number;
      /** Bytes left to download. */
      readonly missing: number;
      readonly cache: string;
    }
  /** Progress: `done` of `bytes`, at most a few times a second. */
  | {
      readonly type: "fetch-progress";
      readonly repository: string;
      readonly file: string;
      readonly done: number;
      readonly bytes: number;
    }
  /** Note for the user: another process is downloading, the server asks to wait, the cache is used instead. */
  | { readonly type: "fetch-note"; readonly repository: string; readonly text: string }
  | { readonly type: "fetched"; readonly repository: string; readonly path: string; readonly bytes: number };

/** Listener and abort signal of downloads. */
export interface DownloadOptions {
  readonly onDownload?: (event: DownloadEvent) => void;
  readonly signal?: AbortSignal;
}
