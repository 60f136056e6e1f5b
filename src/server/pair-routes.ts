/** Routes of the opened models: what they are, the plan of a request, the queue. */
import { createRoute, z } from "@hono/zod-openapi";
import { checkRequest, planFor, settingsFor } from "../generate/index.js";
import { versions } from "../inspect/index.js";
import { planJson } from "../sampling/index.js";
import { type Api, inWords } from "./api.js";
import { json, refusals, requestBody, requestContent } from "./schemas.js";
import type { Studio } from "./studio.js";

const pairSchema = z
  .object({
    pair: z.string().nullable().openapi({ description: "name of the named pair" }),
    family: z.string(),
    base: z.string(),
    distilled: z.string().nullable(),
    size: z.object({ width: z.int(), height: z.int() }),
    device: z.string(),
    compute: z.string(),
    version: z.string(),
  })
  .openapi("Pair");

const pairRoute = createRoute({
  method: "get",
  path: "/api/pair",
  summary: "The models of this studio",
  responses: { 200: json("the models", pairSchema), ...refusals() },
});

const anything = z.record(z.string(), z.unknown());
const plain = (value: unknown) => anything.parse(JSON.parse(JSON.stringify(value)));

const planRoute = createRoute({
  method: "post",
  path: "/api/plan",
  summary: "The plan of a request, and each setting with its origin; loads nothing",
  request: { body: requestContent },
  responses: {
    200: json("the plan", z.object({ plan: anything, settings: anything })),
    ...refusals(400, 413, 415, 422),
  },
});

const queueRoute = createRoute({
  method: "get",
  path: "/api/queue",
  summary: "Waiting runs and the run that is executed",
  responses: {
    200: json("the queue", z.object({ waiting: z.int(), running: z.string().nullable() })),
    ...refusals(),
  },
});

export function addPairRoutes(app: Api, studio: Studio): void {
  const { pair } = studio;
  const { variegate: version } = versions();
  app.openapi(pairRoute, (c) =>
    c.json(
      {
        ...{ pair: pair.row?.name ?? null, family: pair.family, version, size: { ...pair.size } },
        ...{ base: pair.located.base.ref, distilled: pair.located.distilled?.ref ?? null },
        ...{ device: pair.engine.runtime.device, compute: pair.engine.compute },
      },
      200,
    ),
  );
  app.openapi(
    planRoute,
    (c) => {
      const request = c.req.valid("json");
      checkRequest(pair, request);
      const plan = plain(planJson(planFor(pair, request)));
      return c.json({ plan, settings: plain(settingsFor(pair, request)) }, 200);
    },
    inWords(requestBody),
  );
  app.openapi(queueRoute, (c) => c.json({ ...studio.queue }, 200));
}
