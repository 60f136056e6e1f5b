/** Routes of adapters: which there are, put one into the workspace, remove it. */
import { createRoute, z } from "@hono/zod-openapi";
import { addAdapter, listAdapters, ORIGINS, removeAdapter } from "./adapter-files.js";
import type { Api } from "./api.js";
import { MOST_ADAPTER, partsOf } from "./bodies.js";
import { json, refusals } from "./schemas.js";
import type { Studio } from "./studio.js";

const adapterSchema = z
  .object({
    ref: z.string().openapi({ description: "what a request names: adapters[].ref" }),
    name: z.string().openapi({ description: "name of the file" }),
    from: z.enum(ORIGINS),
  })
  .openapi("Adapter");

const addedSchema = adapterSchema
  .extend({
    kind: z.string().openapi({ description: "LoRA, LoHa, DoRA …" }),
    rank: z.int().nullable(),
    layers: z.int().openapi({ description: "layers that it changes" }),
  })
  .openapi("AddedAdapter");

const listRoute = createRoute({
  method: "get",
  path: "/api/adapters",
  summary: "Adapters that a request may name",
  responses: { 200: json("the adapters", z.object({ adapters: z.array(adapterSchema) })), ...refusals(422) },
});

const addRoute = createRoute({
  method: "post",
  path: "/api/adapters",
  summary: "Put an adapter into the workspace. It is checked against the models",
  request: {
    query: z.strictObject({ name: z.string().min(1).max(255).openapi({ description: "name of the file" }) }),
    body: {
      content: { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } },
      required: true,
    },
  },
  responses: {
    201: json("the adapter; one that was there already has its earlier name", addedSchema),
    ...refusals(400, 413, 415, 422, 503),
  },
});

const removeRoute = createRoute({
  method: "delete",
  path: "/api/adapters/{ref}",
  summary: "Remove an adapter from the workspace",
  request: { params: z.object({ ref: z.string().min(1).max(255) }) },
  responses: { 204: { description: "removed" }, ...refusals(400, 404, 422) },
});

export function addAdapterRoutes(app: Api, studio: Studio): void {
  const { pair, workspace } = studio;
  app.openapi(listRoute, async (c) => c.json({ adapters: await listAdapters(workspace.folder, pair) }, 200));
  app.openapi(addRoute, async (c) => {
    const { name } = c.req.valid("query");
    const added = await addAdapter(workspace.folder, pair, name, partsOf(c.req.raw.body, MOST_ADAPTER));
    return c.json(added, 201);
  });
  app.openapi(removeRoute, async (c) => {
    await removeAdapter(workspace.folder, pair, c.req.valid("param").ref);
    return c.body(null, 204);
  });
}
