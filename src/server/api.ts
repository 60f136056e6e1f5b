/** Type of the application, and how it answers what it does not serve. */
import type { HttpBindings } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { VariegateError } from "../errors.js";
import { issuesError } from "../schema/index.js";
import { Refusal, type RefusalStatus, statusOf } from "./refusal.js";

export interface Environment {
  readonly Bindings: HttpBindings;
}

export type Api = OpenAPIHono<Environment>;

/** Address of the program that sent a request. */
export const addressOf = (c: Context<Environment>): string => getConnInfo(c).remote.address ?? "unknown";

/** Shape of an error for the programs that use a part of the paths. */
type ErrorShape = (status: RefusalStatus, type: string, message: string, field?: string) => object;

const OWN: ErrorShape = (_, type, message, field) => ({
  error: { type, message, ...(field !== undefined && { field }) },
});

/** Errors of the paths that other programs' clients use, in their shape. */
const SHAPES: Readonly<Record<string, ErrorShape>> = {
  "/v1/": (status, _, message, field) => {
    const type = status === 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error";
    const code = { 401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded" }[String(status)] ?? null;
    return { error: { message, type, param: field ?? null, code } };
  },
  "/sdapi/": (_, type, message) => ({ error: type, detail: message, body: "", errors: message }),
};

/** The answer to an error, as in `Error` of the OpenAPI document. */
export function answerTo(c: Context, error: unknown, onError: (error: unknown) => void): Response {
  const shape = Object.entries(SHAPES).find(([path]) => c.req.path.startsWith(path))?.[1] ?? OWN;
  const answer = (status: RefusalStatus, type: string, message: string, field?: string) =>
    c.json(shape(status, type, message, field), status);
  // A body that was not read to its end leaves a connection that no other request can use.
  const unread = Number(c.req.header("content-length") ?? 0) > 0 && !c.req.raw.bodyUsed;
  if (unread || (error instanceof Refusal && error.status === 413)) c.header("Connection", "close");
  if (error instanceof Refusal) {
    if (error.retryAfter !== undefined) c.header("Retry-After", String(error.retryAfter));
    return answer(error.status, "Refusal", error.message);
  }
  if (error instanceof VariegateError) {
    const field = "field" in error && typeof error.field === "string" ? error.field : undefined;
    return answer(statusOf(error), error.name, error.message, field);
  }
  if (error instanceof HTTPException && error.status === 400) return answer(400, "RequestError", error.message);
  onError(error);
  return answer(500, "Error", "internal error; the terminal of the studio shows it");
}

/** Outcome of a validation, as the routes report it. */
interface Outcome {
  readonly success: boolean;
  readonly target: string;
  readonly error?: z.ZodError;
  readonly data?: unknown;
}

/** Refuses what does not fit a schema in the words of all requests: the field, its value, what was expected. */
export const inWords =
  (schema?: z.ZodType) =>
  ({ success, target, error, data }: Outcome): undefined => {
    if (success) return;
    throw issuesError(error?.issues ?? [], data, "", target === "json" ? schema : undefined);
  };

export const createApi = (): Api => new OpenAPIHono<Environment>({ defaultHook: inWords() });
