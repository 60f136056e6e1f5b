/** What can be heard of a download while it happens. */

/** A file that is needed. */
export interface PlannedFile {
  readonly path: string;
  readonly bytes: number;
  /** Bytes of it that are in the cache. */
  readonly there: number;
}

export type DownloadEvent =
  /** What will be fetched; said once, before anything is. */
  | {
      readonly type: "fetch-plan";
      readonly repository: string;
      readonly revision: string;
      readonly commit: string;
      readonly files: readonly PlannedFile[];
      readonly bytes: number;
      /** Bytes that are still to come. */
      readonly missing: number;
      readonly cache: string;
    }
  /** `done` of `bytes`; a few times a second at most. */
  | {
      readonly type: "fetch-progress";
      readonly repository: string;
      readonly file: string;
      readonly done: number;
      readonly bytes: number;
    }
  /** Something to know: another process is at it, a server asks to wait, the cache must do. */
  | { readonly type: "fetch-note"; readonly repository: string; readonly text: string }
  | { readonly type: "fetched"; readonly repository: string; readonly path: string; readonly bytes: number };

/** Who hears of downloads and may stop them. */
export interface DownloadOptions {
  readonly onDownload?: (event: DownloadEvent) => void;
  readonly signal?: AbortSignal;
}
