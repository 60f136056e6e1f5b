/** Answers of the server to what it does not do, as errors with a status. */
import { RequestError, type VariegateError } from "../errors.js";

export type RefusalStatus = 400 | 401 | 403 | 404 | 409 | 413 | 415 | 422 | 429 | 500 | 503;

/** A request that is not served, for a reason that is not in its fields. */
export class Refusal extends Error {
  /** Seconds until another try, for the header Retry-After. */
  readonly retryAfter: number | undefined;

  constructor(
    readonly status: RefusalStatus,
    message: string,
    { retryAfter }: { readonly retryAfter?: number } = {},
  ) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

/** Status of an error of the library: the request's fault, a file's, or the machine's. */
export function statusOf(error: VariegateError): RefusalStatus {
  if (error instanceof RequestError) return 400;
  return error.exitCode === 3 ? 422 : 503;
}
