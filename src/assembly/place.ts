/** Where a model is. */

/** Reference of a model, and its path in a file system. */
export interface ModelPlace {
  readonly ref: string;
  readonly path: string;
}
