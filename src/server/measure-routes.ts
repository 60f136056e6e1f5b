/** Routes that look at saved images: their diversity, and the x0 of each step of one. */
import { createRoute, z } from "@hono/zod-openapi";
import { RequestError } from "../errors.js";
import { type Diversity, diversity, type Evaluator } from "../evaluation/index.js";
import { decodePng, imageUrl } from "../files/index.js";
import { type GenerateRequest, generate, requestSchema, type StepEvent } from "../generate/index.js";
import {
  cosineDistance,
  type Estimate,
  jackknifeEstimate,
  meanPairwise,
  pairwise,
  rootMeanSquare,
} from "../metrics/index.js";
import { openEvaluator } from "../open/index.js";
import type { FloatTensor, RgbImage } from "../tensor/index.js";
import { commitCurve, openPreview, watch } from "../trajectory/index.js";
import { type Api, inWords } from "./api.js";
import type { Served } from "./execute.js";
import type { ImageRecord } from "./history.js";
import { Refusal } from "./refusal.js";
import { idParams, json, refusals } from "./schemas.js";
import type { Studio } from "./studio.js";

/** Most images whose diversity is measured at once. */
const MOST_IMAGES = 64;
const MOST_PHRASES = 16;

const estimateSchema = z
  .object({ mean: z.number(), low: z.number().nullable(), high: z.number().nullable(), n: z.int() })
  .openapi("Estimate");

const diversityBody = z
  .strictObject({ images: z.array(idParams.shape.id).min(2, "expected at least two images").max(MOST_IMAGES) })
  .openapi("DiversityRequest");

const diversitySchema = z
  .object({
    pixels: estimateSchema.openapi({ description: "mean pairwise root mean square difference of pixels in 0…1" }),
    clip: estimateSchema
      .nullable()
      .openapi({ description: "mean pairwise 1 − cosine of CLIP features; null without a CLIP" }),
  })
  .openapi("Diversity");

const diversityRoute = createRoute({
  method: "post",
  path: "/api/diversity",
  summary: "Diversity of saved images with 95 % intervals; images of one prompt are compared with each other",
  request: { body: { content: { "application/json": { schema: diversityBody } }, required: true } },
  responses: { 200: json("the diversity", diversitySchema), ...refusals(400, 404, 413, 415, 422, 429, 503) },
});

const traceSchema = z
  .object({
    steps: z.array(
      z.object({
        model: z.enum(["base", "distilled"]),
        timestep: z.number(),
        x0: z.string().openapi({ description: "predicted clean image, a data URL" }),
      }),
    ),
    final: z.string(),
    commit: z
      .object({ latent: z.array(z.number()), pixel: z.array(z.number()), perceptual: z.array(z.number()).nullable() })
      .openapi({ description: "distance of each x0 to the final image" }),
    concepts: z.array(
      z.object({
        phrase: z.string(),
        similarity: z.array(z.number()).openapi({ description: "cosine of each x0 and the phrase" }),
        finding: z.enum(["dropped", "late"]).nullable(),
        step: z.int().nullable().openapi({ description: "last step that shows a dropped phrase, first of a late one" }),
      }),
    ),
  })
  .openapi("ImageTrace");

const traceRoute = createRoute({
  method: "get",
  path: "/api/images/{id}/trace",
  summary: "x0 at each step of an image, its commit curve, and phrases that were seen and dropped",
  request: {
    params: idParams,
    query: z.strictObject({
      phrases: z.string().max(1000).optional().openapi({ description: "phrases to look for, separated by commas" }),
    }),
  },
  responses: { 200: json("the trace", traceSchema), ...refusals(400, 404, 422, 429, 503) },
});

type Scorer = () => Promise<Evaluator | null>;

/** Opens the pair's CLIP when it is first needed. A failure is not kept. */
function scorerOf({ pair }: Pick<Studio, "pair">): Scorer {
  let opened: Promise<Evaluator | null> | null = null;
  return () => {
    opened ??= openEvaluator(pair).catch((error: unknown) => {
      opened = null;
      throw error;
    });
    return opened;
  };
}

export function addMeasureRoutes(app: Api, studio: Studio): void {
  const { history } = studio.workspace;
  const scorer = scorerOf(studio);
  const found = (id: string): ImageRecord => {
    const image = history.image(id);
    if (!image) throw new Refusal(404, `there is no image ${id}`);
    return image;
  };
  app.openapi(
    diversityRoute,
    async (c) => {
      const images = c.req.valid("json").images.map(found);
      const { pixels, clip } = await studio.between((served) => diversityOf(served, images, scorer));
      return c.json({ pixels, clip }, 200);
    },
    inWords(diversityBody),
  );
  app.openapi(traceRoute, async (c) => {
    const image = found(c.req.valid("param").id);
    const given = (c.req.valid("query").phrases ?? "").split(",").map((phrase) => phrase.trim());
    const phrases = [...new Set(given)].filter((phrase) => phrase !== "");
    if (phrases.length > MOST_PHRASES) {
      throw new RequestError(`these are ${phrases.length} phrases; expected at most ${MOST_PHRASES}`, {
        field: "phrases",
      });
    }
    return c.json(await studio.between((served) => traceOf(served, image, phrases, scorer)), 200);
  });
}

async function diversityOf(
  { workspace }: Served,
  images: readonly ImageRecord[],
  scorer: Scorer,
): Promise<Pick<Diversity, "pixels" | "clip">> {
  const prompts = new Map<string, readonly string[]>();
  const decoded = [];
  for (const { id, run, prompt } of images) {
    const texts =
      prompts.get(run) ?? z.object({ prompts: z.array(z.string()) }).parse(workspace.history.run(run)?.request).prompts;
    prompts.set(run, texts);
    decoded.push({ ...(await decodePng(Buffer.from(await workspace.read(id)))), prompt: texts[prompt] ?? "" });
  }
  const evaluator = await scorer();
  if (new Set(decoded.map(({ prompt }) => prompt)).size > 1) return diversity(decoded, evaluator);
  // The same numbers as for several prompts. Those have an interval over prompts, one prompt has one over its images.
  const [first] = decoded;
  const other = decoded.find(({ width, height }) => width !== first?.width || height !== first.height);
  if (other) {
    throw new RequestError(
      `the images have different sizes: ${first?.width} × ${first?.height} and ${other.width} × ${other.height}`,
      { field: "images" },
    );
  }
  const features = evaluator && (await evaluator.clip.images(decoded));
  return {
    pixels: overImages(decoded.map(pixelsOf), rootMeanSquare),
    clip: features && overImages(features, cosineDistance),
  };
}

/** Mean pairwise distance with a jackknife interval over images. */
function overImages(features: readonly Float32Array[], of: (a: Float32Array, b: Float32Array) => number): Estimate {
  const distances = pairwise(features, of);
  const without = features.map((_, i) =>
    meanPairwise(distances.filter((_row, a) => a !== i).map((row) => row.filter((_value, b) => b !== i))),
  );
  return jackknifeEstimate(meanPairwise(distances), without);
}

/** The request of an image alone. @throws RequestError for methods under which it depends on the other images */
function requestOf({ workspace }: Served, { run, prompt, seed }: ImageRecord): GenerateRequest {
  const request = requestSchema.parse(workspace.history.run(run)?.request);
  const { samples: _, batch: _batch, ...rest } = request;
  return { ...rest, samples: [{ prompt, seed }] };
}

/** Samples an image again, from the kept states of its rows where there are some, and looks at each x0. */
async function traceOf(
  served: Served,
  image: ImageRecord,
  phrases: readonly string[],
  scorer: Scorer,
): Promise<z.output<typeof traceSchema>> {
  const { pair, cache, workspace } = served;
  const steps: StepEvent[] = [];
  let latents: FloatTensor | null = null;
  for await (const event of generate(pair, requestOf(served, image), undefined, cache)) {
    if (event.type === "step") steps.push(event);
    if (event.type === "image") latents = event.latents;
  }
  const preview = await openPreview(pair);
  const x0 = await preview(steps.map((step) => step.x0));
  const final = await decodePng(Buffer.from(await workspace.read(image.id)));
  const clip = (await scorer())?.clip ?? null;
  if (phrases.length > 0 && clip === null) {
    throw new RequestError("phrases need a CLIP, which this pair does not name", { field: "phrases" });
  }
  const features = clip && (await clip.images([...x0, final]));
  const looks = features?.slice(0, -1) ?? [];
  const concepts = [];
  for (const phrase of clip ? phrases : []) {
    const text = await clip?.text(phrase);
    const similarity = looks.map((look) => (text ? 1 - cosineDistance(look, text) : 0));
    const [found] = watch(phrase, [image.seed], [similarity], similarity).findings;
    concepts.push({ phrase, similarity, finding: found?.finding ?? null, step: found?.step ?? null });
  }
  const last = features?.at(-1);
  const curve = (space: "latent" | "pixel" | "perceptual", all: readonly Float32Array[], end: Float32Array) => [
    ...(commitCurve(space, [all], [end]).perSeed[0] ?? []),
  ];
  const latent = steps.map((step) => step.x0.data);
  return {
    steps: await Promise.all(
      steps.map(async ({ model, timestep }, i) => ({ model, timestep, x0: x0[i] ? await imageUrl(x0[i]) : "" })),
    ),
    final: await imageUrl(final),
    commit: {
      latent: latents ? curve("latent", latent, latents.data) : [],
      pixel: curve("pixel", x0.map(pixelsOf), pixelsOf(final)),
      perceptual: last ? curve("perceptual", looks, last) : null,
    },
    concepts,
  };
}

const pixelsOf = ({ data }: RgbImage): Float32Array => Float32Array.from(data, (v) => v / 255);
