/** Routes in the form of OpenAI's API: images, models. Clients of it work with this server's address as their base URL. */
import { createRoute, z } from "@hono/zod-openapi";
import type { GenerateRequest } from "../generate/index.js";
import { type Api, addressOf, inWords } from "./api.js";
import { MOST_IMAGES, make, modelIds, modeOf, seedsFrom, type Unsupported } from "./images-made.js";
import { Refusal } from "./refusal.js";
import { clientHeader, extensionSchema, json, refusalsAs } from "./schemas.js";
import type { Studio } from "./studio.js";

const EXPECTED = `expected an integer from 1 to ${MOST_IMAGES}`;

const errorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .openapi("OpenAIError");

const imageCount = z.int({ error: EXPECTED }).min(1, EXPECTED).max(MOST_IMAGES, EXPECTED);

const bodySchema = z
  .strictObject({
    prompt: z.string().min(1),
    model: z
      .string()
      .nullish()
      .openapi({ description: "an id of GET /v1/models; its part after the colon is the mode" }),
    n: imageCount.nullish(),
    size: z
      .string()
      .regex(/^(auto|\d{1,5}x\d{1,5})$/, 'expected "auto" or a size such as "1024x1024"')
      .nullish(),
    response_format: z.enum(["url", "b64_json"]).nullish().openapi({ description: "default: both" }),
    output_format: z.enum(["png"], { error: 'expected "png"' }).nullish(),
    seed: z.int().min(0).nullish().openapi({ description: "seed of the first image; default: random" }),
    stream: z.literal(false, { error: "expected false; GET /api/runs/{id}/events has the events" }).nullish(),
    variegate: extensionSchema.optional(),
    ...{ quality: z.string().nullish(), style: z.string().nullish(), background: z.string().nullish() },
    ...{
      moderation: z.string().nullish(),
      output_compression: z.number().nullish(),
      partial_images: z.int().nullish(),
    },
    user: z.string().nullish(),
  })
  .openapi("OpenAIImageRequest");

/** Fields that are accepted and have no effect, with the values that ask for nothing. */
const WITHOUT_EFFECT: Readonly<Record<string, readonly unknown[]>> = {
  quality: ["auto"],
  style: [],
  background: ["auto", "opaque"],
  moderation: [],
  output_compression: [100],
  partial_images: [0],
  user: [],
};

const unsupportedSchema = z.array(z.object({ field: z.string(), why: z.string() }));

const imagesSchema = z
  .object({
    created: z.int(),
    data: z.array(z.object({ b64_json: z.string().optional(), url: z.string().optional() })),
    size: z.string(),
    output_format: z.literal("png"),
    variegate: z.object({
      run: z.string(),
      seeds: z.array(z.int()),
      request: z.record(z.string(), z.unknown()),
      unsupported: unsupportedSchema.openapi({ description: "fields of the request that have no effect" }),
      notices: z.array(z.string()),
    }),
  })
  .openapi("OpenAIImages");

const generateRoute = createRoute({
  method: "post",
  path: "/v1/images/generations",
  summary: "Images in the form of OpenAI's API",
  request: { headers: clientHeader, body: { content: { "application/json": { schema: bodySchema } }, required: true } },
  responses: {
    200: json("the images", imagesSchema),
    ...refusalsAs(errorSchema, 400, 404, 409, 413, 415, 422, 429, 503),
  },
});

const modelSchema = z.object({ id: z.string(), object: z.literal("model"), created: z.int(), owned_by: z.string() });

const modelsRoute = createRoute({
  method: "get",
  path: "/v1/models",
  summary: "The models in the form of OpenAI's API: the pair, in each of its modes",
  responses: {
    200: json(
      "the models",
      z.object({ object: z.literal("list"), data: z.array(modelSchema) }).openapi("OpenAIModels"),
    ),
    ...refusalsAs(errorSchema),
  },
});

const modelRoute = createRoute({
  method: "get",
  path: "/v1/models/{id}",
  summary: "One model",
  request: { params: z.object({ id: z.string() }) },
  responses: { 200: json("the model", modelSchema.openapi("OpenAIModel")), ...refusalsAs(errorSchema, 404) },
});

type Body = z.output<typeof bodySchema>;

function requestOf(studio: Studio, { prompt, model, n, size, seed, variegate = {} }: Body): GenerateRequest {
  const mode = model === undefined || model === null ? undefined : modeOf(studio, model, "model");
  const [, width, height] = /^(\d+)x(\d+)$/.exec(size ?? "") ?? [];
  return {
    prompts: [prompt],
    seeds: seedsFrom(seed ?? null, n ?? 1),
    ...(mode && { mode }),
    ...(width !== undefined && { size: { width: Number(width), height: Number(height) } }),
    ...variegate,
  };
}

const unsupportedIn = (body: Body): Unsupported[] =>
  Object.entries(body).flatMap(([field, value]) => {
    const neutral = WITHOUT_EFFECT[field];
    if (!neutral || value === null || value === undefined || neutral.includes(value)) return [];
    return [{ field, why: "has no effect here" }];
  });

export function addOpenAiRoutes(app: Api, studio: Studio): void {
  const started = Math.floor(Date.now() / 1000);
  const models = () =>
    modelIds(studio).map(({ id }) => ({ id, object: "model" as const, created: started, owned_by: "variegate" }));
  app.openapi(
    generateRoute,
    async (c) => {
      const body = c.req.valid("json");
      const client = c.req.valid("header")["variegate-client"] ?? addressOf(c);
      const made = await make(studio, client, requestOf(studio, body), c.req.raw.signal);
      const { response_format: format } = body;
      const data = made.images.map(({ image, png }) => ({
        ...(format !== "url" && { b64_json: Buffer.from(png).toString("base64") }),
        ...(format !== "b64_json" && { url: new URL(`/api/images/${image.id}`, c.req.url).href }),
      }));
      const [first] = made.images;
      const request: Record<string, unknown> = { ...made.run.request };
      const variegate = {
        ...{ run: made.run.id, seeds: made.images.map(({ image }) => image.seed), request },
        ...{ unsupported: unsupportedIn(body), notices: [...made.notices] },
      };
      const size = `${first?.image.width ?? 0}x${first?.image.height ?? 0}`;
      const created = Math.floor(Date.now() / 1000);
      return c.json({ created, data, size, output_format: "png" as const, variegate }, 200);
    },
    inWords(bodySchema),
  );
  app.openapi(modelsRoute, (c) => c.json({ object: "list" as const, data: models() }, 200));
  app.openapi(modelRoute, (c) => {
    const { id } = c.req.valid("param");
    const found = models().find((model) => model.id === id);
    if (!found) throw new Refusal(404, `there is no model ${JSON.stringify(id)}; GET /v1/models lists them`);
    return c.json(found, 200);
  });
}
