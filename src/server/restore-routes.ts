/** Route that reads how a run was made, from a PNG or a run.json, for the models of this studio. */
import { createRoute, z } from "@hono/zod-openapi";
import { differences, type Recorded, readRecord } from "../convert/index.js";
import { FileError, RequestError, VariegateError } from "../errors.js";
import { checkRequest, type GenerateRequest, planFor } from "../generate/index.js";
import { versions } from "../inspect/index.js";
import { sourceFiles } from "../open/index.js";
import { adapterWithHash } from "./adapter-files.js";
import type { Api } from "./api.js";
import { json, refusals, requestBody } from "./schemas.js";
import type { Studio } from "./studio.js";

const file = { schema: z.string().openapi({ format: "binary" }) };

const restoredSchema = z
  .object({
    request: requestBody,
    image: z
      .object({ prompt: z.int(), seed: z.int() })
      .nullable()
      .openapi({ description: "the image of the PNG among those of the request" }),
    version: z.string().nullable().openapi({ description: "version that recorded it; null for another program" }),
    notices: z.array(z.string()).openapi({ description: "what differs here from the record, as sentences" }),
  })
  .openapi("Restored");

const restoreRoute = createRoute({
  method: "post",
  path: "/api/restore",
  summary: "The request that made a PNG, or that a run.json records",
  request: {
    query: z.strictObject({
      name: z
        .string()
        .min(1)
        .max(255)
        .optional()
        .openapi({ description: "name of the file, for what is said about it" }),
    }),
    body: {
      content: { "image/png": file, "application/json": { schema: z.unknown() }, "application/octet-stream": file },
      required: true,
    },
  },
  responses: { 200: json("the request", restoredSchema), ...refusals(400, 413, 415, 422) },
});

/** Adapters by the names that this studio has for them: a record may name a path, whose hash it has. */
async function renamed(
  { pair, workspace }: Studio,
  request: GenerateRequest,
  sources: Recorded["sources"],
): Promise<GenerateRequest> {
  if (!request.adapters) return request;
  const adapters = [];
  for (const adapter of request.adapters) {
    const here = await pair.openAdapter(adapter.ref, { byName: true }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof VariegateError) return false;
        throw error;
      },
    );
    const sha256 = sources.find(({ role, ref }) => role === "adapter" && ref === adapter.ref)?.sha256;
    const ref = here || sha256 === undefined ? null : await adapterWithHash(workspace.folder, pair, sha256);
    adapters.push(ref === null ? adapter : { ...adapter, ref });
  }
  return { ...request, adapters };
}

/** What differs from the record, or why the request cannot run here. */
async function noticesOf({ pair, models }: Studio, recorded: Recorded, request: GenerateRequest): Promise<string[]> {
  const notices = [...recorded.unread];
  const own = versions().variegate;
  if (recorded.version !== null && recorded.version !== own) {
    notices.push(`recorded by variegate ${recorded.version}; this is ${own}`);
  }
  try {
    checkRequest(pair, request);
    const adapters = request.adapters !== (recorded.whole ?? recorded).request.adapters;
    const sources = await sourceFiles(pair, models, request, undefined, true);
    notices.push(...differences(recorded, sources, planFor(pair, request), adapters && recorded.plan === null));
  } catch (error) {
    if (!(error instanceof RequestError) && !(error instanceof FileError)) throw error;
    notices.push(error.message);
  }
  return notices;
}

export function addRestoreRoutes(app: Api, studio: Studio): void {
  app.openapi(restoreRoute, async (c) => {
    const bytes = Buffer.from(await c.req.arrayBuffer());
    if (bytes.length === 0) throw new RequestError("the body is empty; expected a PNG or a run.json");
    const { name = "the file" } = c.req.valid("query");
    const recorded = await readRecord(name, bytes);
    const { request: given, image } = recorded.whole ?? recorded;
    const request = await renamed(studio, given, recorded.sources);
    const notices = await noticesOf(studio, recorded, request);
    return c.json({ request: requestBody.parse(request), image, version: recorded.version, notices }, 200);
  });
}
