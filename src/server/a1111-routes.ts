/** Routes in the form of A1111's API: txt2img, progress, options, lists. Its clients work with this server's address. */
import { createRoute, z } from "@hono/zod-openapi";
import { readPngText } from "../files/index.js";
import { SAMPLERS } from "../sampling/index.js";
import { requestOf, settingsSchema, txt2imgSchema, unsupportedFields, unsupportedSettings } from "./a1111-request.js";
import { listAdapters } from "./adapter-files.js";
import { type Api, addressOf, inWords } from "./api.js";
import { type Made, make, modelIds, modeOf } from "./images-made.js";
import { clientHeader, json, refusalsAs } from "./schemas.js";
import type { Studio } from "./studio.js";

const errorSchema = z
  .object({ error: z.string(), detail: z.string(), body: z.string(), errors: z.string() })
  .openapi("A1111Error");
const refusals = <S extends Parameters<typeof refusalsAs>[1]>(...statuses: readonly S[]) =>
  refusalsAs(errorSchema, ...statuses);

const unsupportedSchema = z.array(z.object({ field: z.string(), why: z.string() }));
const imagesSchema = z
  .object({
    images: z.array(z.string()).openapi({ description: "PNG files in base64" }),
    parameters: z.record(z.string(), z.unknown()),
    info: z.string().openapi({ description: "JSON with seeds, prompts and infotexts" }),
    variegate: z.object({
      run: z.string(),
      request: z.record(z.string(), z.unknown()),
      unsupported: unsupportedSchema.openapi({ description: "fields that ask for something that is not done" }),
      notices: z.array(z.string()),
    }),
  })
  .openapi("A1111Images");

const txt2imgRoute = createRoute({
  method: "post",
  path: "/sdapi/v1/txt2img",
  summary: "Images in the form of A1111's API; its field variegate has the fields of the hand-off",
  request: {
    headers: clientHeader,
    body: { content: { "application/json": { schema: txt2imgSchema } }, required: true },
  },
  responses: { 200: json("the images", imagesSchema), ...refusals(400, 404, 409, 413, 415, 422, 429, 503) },
});

const progressSchema = z
  .object({
    progress: z.number(),
    eta_relative: z.number(),
    state: z.object({
      ...{ skipped: z.boolean(), interrupted: z.boolean(), stopping_generation: z.boolean() },
      ...{ job: z.string(), job_count: z.int(), job_no: z.int(), job_timestamp: z.string() },
      ...{ sampling_step: z.int(), sampling_steps: z.int() },
    }),
    current_image: z.string().nullable(),
    textinfo: z.string().nullable(),
  })
  .openapi("A1111Progress");

const progressRoute = createRoute({
  method: "get",
  path: "/sdapi/v1/progress",
  summary: "Progress of the run that is executed",
  request: { query: z.object({ skip_current_image: z.enum(["true", "false", "True", "False"]).optional() }) },
  responses: { 200: json("the progress", progressSchema), ...refusals(400) },
});

const interruptRoute = createRoute({
  method: "post",
  path: "/sdapi/v1/interrupt",
  summary: "End the run of this client that is executed",
  request: { headers: clientHeader },
  responses: { 200: json("nothing", z.object({})), ...refusals(400) },
});

const getOptionsRoute = createRoute({
  method: "get",
  path: "/sdapi/v1/options",
  summary: "The settings that are read",
  responses: { 200: json("the settings", settingsSchema), ...refusals() },
});

const setOptionsRoute = createRoute({
  method: "post",
  path: "/sdapi/v1/options",
  summary: "Set the model's mode or CLIP's last layer for later calls of txt2img, until the studio ends",
  request: { body: { content: { "application/json": { schema: settingsSchema } }, required: true } },
  responses: {
    200: json("settings that are not read", z.object({ unsupported: unsupportedSchema })),
    ...refusals(400, 404, 413, 415),
  },
});

const listOf = <S extends z.ZodType>(name: string, summary: string, item: S) =>
  createRoute({
    method: "get",
    path: `/sdapi/v1/${name}`,
    summary,
    responses: { 200: json("the list", z.array(item)), ...refusals(422) },
  });

const samplersRoute = listOf(
  "samplers",
  "Samplers by A1111's names",
  z.object({ name: z.string(), aliases: z.array(z.string()), options: z.record(z.string(), z.string()) }),
);
const modelsRoute = listOf(
  "sd-models",
  "The pair, in each of its modes",
  z.object({
    ...{ title: z.string(), model_name: z.string(), hash: z.string().nullable(), sha256: z.string().nullable() },
    ...{ filename: z.string(), config: z.string().nullable() },
  }),
);
const lorasRoute = listOf(
  "loras",
  "Adapters that <lora:NAME:1> in a prompt may name",
  z.object({ name: z.string(), alias: z.string(), path: z.string(), metadata: z.object({}) }),
);

/** Answer of txt2img. */
async function answerOf({ run, images }: Made, parameters: Readonly<Record<string, unknown>>) {
  const { request } = run;
  const texts: string[] = [];
  for (const { png } of images) texts.push((await readPngText(Buffer.from(png))).get("parameters") ?? "");
  const [first] = images;
  const prompt = request.prompts[0] ?? "";
  const seeds = images.map(({ image }) => image.seed);
  const info = {
    ...{ prompt, all_prompts: images.map(() => prompt), negative_prompt: request.negative ?? "" },
    ...{ all_negative_prompts: images.map(() => request.negative ?? ""), seed: seeds[0], all_seeds: seeds },
    ...{ width: first?.image.width, height: first?.image.height, batch_size: images.length, index_of_first_image: 0 },
    ...{ steps: run.progress?.of, cfg_scale: request.guidance, sampler_name: request.scheduler, infotexts: texts },
    ...{ extra_generation_params: {}, styles: [], is_using_inpainting_conditioning: false },
  };
  const sent = parameters["send_images"] === false ? [] : images;
  return {
    images: sent.map(({ png }) => Buffer.from(png).toString("base64")),
    parameters: { ...parameters },
    info: JSON.stringify(info),
  };
}

export function addA1111Routes(app: Api, studio: Studio): void {
  let settings: Readonly<Record<string, unknown>> = {};
  app.openapi(
    txt2imgRoute,
    async (c) => {
      const body = c.req.valid("json");
      const request = requestOf(body, settings, (title) => modeOf(studio, title, "sd_model_checkpoint"));
      const client = c.req.valid("header")["variegate-client"] ?? addressOf(c);
      const made = await make(studio, client, request, c.req.raw.signal);
      const asked: Record<string, unknown> = { ...made.run.request };
      const unsupported = unsupportedFields(body);
      const variegate = { run: made.run.id, request: asked, unsupported, notices: [...made.notices] };
      return c.json({ ...(await answerOf(made, body)), variegate }, 200);
    },
    inWords(txt2imgSchema),
  );
  app.openapi(progressRoute, (c) =>
    c.json(progressOf(studio, /^true$/i.test(c.req.valid("query").skip_current_image ?? "")), 200),
  );
  app.openapi(interruptRoute, (c) => {
    const client = c.req.valid("header")["variegate-client"] ?? addressOf(c);
    const run = studio.run(studio.queue.running ?? "");
    if (run?.client === client) studio.cancel(run);
    return c.json({}, 200);
  });
  app.openapi(getOptionsRoute, (c) => {
    const [usual] = modelIds(studio);
    const defaults: Record<string, unknown> = { sd_model_checkpoint: usual?.id ?? "", CLIP_stop_at_last_layers: 1 };
    return c.json({ ...defaults, ...settings }, 200);
  });
  app.openapi(
    setOptionsRoute,
    (c) => {
      const given = c.req.valid("json");
      const unsupported = unsupportedSettings(given);
      const known = Object.entries(given).filter(([name]) => unsupported.every(({ field }) => field !== name));
      const next = { ...settings, ...Object.fromEntries(known) };
      // Refuses what a later call could not use.
      requestOf({}, next, (title) => modeOf(studio, title, "sd_model_checkpoint"));
      settings = next;
      return c.json({ unsupported }, 200);
    },
    inWords(settingsSchema),
  );
  app.openapi(samplersRoute, (c) =>
    c.json(
      SAMPLERS.flatMap(({ a1111: [name, ...aliases] = [], comfy = [] }) =>
        name === undefined ? [] : [{ name, aliases: [...aliases, ...comfy], options: {} }],
      ),
      200,
    ),
  );
  app.openapi(modelsRoute, (c) =>
    c.json(
      modelIds(studio).map(({ id }) => ({
        ...{ title: id, model_name: id, hash: null, sha256: null, filename: id, config: null },
      })),
      200,
    ),
  );
  app.openapi(lorasRoute, async (c) => {
    const all = await listAdapters(studio.workspace.folder, studio.pair);
    return c.json(
      all.map(({ ref, name }) => ({ name: ref, alias: ref, path: name, metadata: {} })),
      200,
    );
  });
}

function progressOf({ run, queue }: Studio, skipImage: boolean): z.output<typeof progressSchema> {
  const current = run(queue.running ?? "");
  const { steps = 0, done = 0, step = 0, of = 0, started = 0, preview = null } = current?.progress ?? {};
  const share = steps > 0 ? done / steps : 0;
  const seconds = (Date.now() - started) / 1000;
  return {
    progress: share,
    eta_relative: share > 0 ? seconds / share - seconds : 0,
    state: {
      ...{ skipped: false, interrupted: current?.controller.signal.aborted ?? false, stopping_generation: false },
      ...{ job: current?.id ?? "", job_count: queue.waiting + (current ? 1 : 0), job_no: 0 },
      ...{
        job_timestamp: current?.created.replace(/\D/g, "").slice(0, 14) ?? "",
        sampling_step: step,
        sampling_steps: of,
      },
    },
    current_image: skipImage ? null : (preview?.replace(/^.*?,/, "") ?? null),
    textinfo: null,
  };
}
