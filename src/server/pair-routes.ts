/** Routes of the opened models: what they are, the plan of a request, the queue. */
import { getConnInfo } from "@hono/node-server/conninfo";
import { createRoute, z } from "@hono/zod-openapi";
import { checkRequest, planFor, settingsFor } from "../generate/index.js";
import { versions } from "../inspect/index.js";
import { planJson } from "../sampling/index.js";
import { type Api, inWords } from "./api.js";
import { isLoopback } from "./guard.js";
import type { OtherModels } from "./other-models.js";
import { Refusal } from "./refusal.js";
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
    opening: z
      .object({
        text: z.string().openapi({ description: "what is being opened, and how far it is" }),
        error: z.string().nullable().openapi({ description: "why it could not be opened" }),
      })
      .nullable()
      .openapi({ description: "other models that are being opened, or could not be; these stay open until then" }),
  })
  .openapi("Pair");

const ref = z.string().min(1).max(1024);
const openBody = z
  .union([z.strictObject({ pair: ref }), z.strictObject({ base: ref, distilled: ref.optional() })], {
    error: "expected a pair, or a base and a distilled model",
  })
  .openapi("PairReference");

const openRoute = createRoute({
  method: "post",
  path: "/api/pair",
  summary: "Open other models: a named pair, or paths and Hub ids, which may be downloaded. From this machine only",
  request: { body: { content: { "application/json": { schema: openBody } }, required: true } },
  responses: { 202: json("GET /api/pair has the progress", pairSchema), ...refusals(400, 409, 413, 415) },
});

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

export function addPairRoutes(app: Api, studio: Studio, others: OtherModels): void {
  const { pair } = studio;
  const { variegate: version } = versions();
  const view = (): z.output<typeof pairSchema> => ({
    ...{ pair: pair.row?.name ?? null, family: pair.family, version, size: { ...pair.size } },
    ...{ base: pair.located.base.ref, distilled: pair.located.distilled?.ref ?? null },
    ...{ device: pair.engine.runtime.device, compute: pair.engine.compute, opening: others.opening },
  });
  app.openapi(pairRoute, (c) => c.json(view(), 200));
  app.openapi(
    openRoute,
    (c) => {
      // A path opens a file of this machine and a Hub id fills its disk: not for clients of other machines, even with the token.
      if (!isLoopback(getConnInfo(c).remote.address ?? "")) {
        throw new Refusal(403, "models are opened from the machine of the studio only");
      }
      const named = c.req.valid("json");
      const { distilled } = "base" in named ? named : {};
      others.open("base" in named ? { base: named.base, ...(distilled !== undefined && { distilled }) } : named);
      return c.json(view(), 202);
    },
    inWords(openBody),
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
