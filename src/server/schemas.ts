/** Schemas of the API: parameters and answers, and their names in the OpenAPI document. The body of a run is the request schema itself. */
import { z } from "@hono/zod-openapi";
import { requestFields, requestSchema } from "../generate/index.js";
import { type Fields, formsOf } from "../schema/index.js";
import type { RunRecord } from "./history.js";
import { type ImageRecord, problemSchema, RUN_STATES } from "./history.js";
import { inOrder, PREVIEWS, type Run } from "./run.js";

/**
 * JSON schema of fields of a request, with the words of their options. Written here because the generator of the document takes optional
 * fields for required ones.
 */
function fieldsJson(all: z.ZodType) {
  const { $schema: _, ...schema } = z.toJSONSchema(all, { io: "input", unrepresentable: "any" });
  const fields: Fields = requestFields;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const about = fields[name] && formsOf(fields[name])[0]?.about;
    if (about !== undefined && typeof property === "object") property.description = about;
  }
  return schema as { readonly type: "object" };
}

/** Body of a run. A copy: schemas made before `@hono/zod-openapi` is loaded have no method `openapi`. */
export const requestBody = requestSchema.clone().openapi("Request", fieldsJson(requestSchema));

const extension = z.strictObject(requestFields);
/** Fields of a request that other programs' APIs do not have, such as those of the hand-off. */
export const extensionSchema = extension.clone().openapi("RequestFields", fieldsJson(extension));

export const errorSchema = z
  .object({
    error: problemSchema.extend({ type: z.string().openapi({ description: "class of the error" }) }),
  })
  .openapi("Error");

export const imageSchema = z
  .object({
    id: z.string(),
    run: z.string(),
    prompt: z.int().openapi({ description: "index into the prompts of the request" }),
    seed: z.int(),
    width: z.int(),
    height: z.int(),
    bytes: z.int(),
    sha256: z.string(),
    favourite: z.boolean(),
    created: z.string(),
    url: z.string().openapi({ description: "address of the PNG file, which records how it was made" }),
  })
  .openapi("Image");

export const runSchema = z
  .object({
    id: z.string(),
    client: z.string(),
    created: z.string(),
    state: z.enum(RUN_STATES),
    ahead: z.int().nullable().openapi({ description: "runs that are executed before this one; null unless it waits" }),
    request: z.record(z.string(), z.unknown()),
    images: z.array(imageSchema),
    error: problemSchema.nullable(),
    events: z.string().openapi({ description: "address of its events" }),
  })
  .openapi("Run");

export const idParams = z.object({ id: z.string().regex(/^[0-9a-f-]{36}$/, "expected the id of a run or an image") });

export const clientHeader = z.object({
  "variegate-client": z
    .string()
    .regex(/^[\w.:@-]{1,64}$/, "expected 1 to 64 letters, digits or .:@_-")
    .optional()
    .openapi({ description: "name of the client, for fair turns; default: its address" }),
});

/** A request as the body of a route. */
export const requestContent = { content: { "application/json": { schema: requestBody } }, required: true } as const;

export const submitQuery = z.strictObject({
  supersede: z.enum(["true", "false"]).optional().openapi({ description: "cancel the client's earlier runs" }),
  previews: z.enum(PREVIEWS).optional().openapi({ description: "steps whose x0 is sent as an image; default: first" }),
});

export const partQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).optional().openapi({ description: "default: 50" }),
  before: z
    .string()
    .regex(/^[0-9a-f-]{36}$/)
    .optional()
    .openapi({ description: "id after which the list goes on" }),
});
export const MOST_LISTED = 50;

/** An image as clients see it. */
export const imageView = (image: ImageRecord): z.output<typeof imageSchema> => ({
  ...image,
  url: `/api/images/${image.id}`,
});

/** A run as clients see it. */
export const runView = (
  {
    id,
    client,
    created,
    state,
    request,
    error,
  }: Pick<Run, "id" | "client" | "created" | "state" | "error"> & {
    readonly request: RunRecord["request"];
  },
  images: readonly ImageRecord[],
  ahead: number | null,
): z.output<typeof runSchema> => ({
  ...{ id, client, created, state, ahead, error, images: inOrder(request, images).map(imageView) },
  request: { ...request },
  events: `/api/runs/${id}/events`,
});

/** JSON answer of a route. */
export const json = <S extends z.ZodType>(description: string, schema: S) => ({
  description,
  content: { "application/json": { schema } },
});

const REASONS = {
  400: "the request makes no sense; the field is named",
  401: "the token is missing or wrong",
  403: "the request comes from another site",
  404: "there is no such run or image",
  409: "the run goes on, or other models are being opened",
  413: "the body is too large",
  415: "the body is not JSON",
  422: "a file cannot be used",
  429: "the queue is full, or tokens were wrong too often; Retry-After says when to try again",
  503: "the machine cannot do it now",
} as const;

/** Answers to requests that are not served, in the shape of a schema. */
export const refusalsAs = <E extends z.ZodType, S extends keyof typeof REASONS>(schema: E, ...statuses: readonly S[]) =>
  Object.fromEntries([...statuses, 401, 403].map((s) => [s, json(REASONS[s as S], schema)])) as {
    readonly [K in S | 401 | 403]: ReturnType<typeof json<E>>;
  };

/** Answers to requests that are not served. */
export const refusals = <S extends keyof typeof REASONS>(...statuses: readonly S[]) =>
  refusalsAs(errorSchema, ...statuses);
