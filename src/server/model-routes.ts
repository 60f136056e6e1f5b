/** Routes of models that could be opened: named pairs, files of the model folders, and what a reference is. */
import { existsSync } from "node:fs";
import { createRoute, z } from "@hono/zod-openapi";
import type { PairRow } from "../catalogue/index.js";
import { readPairs } from "../catalogue/node/index.js";
import { RequestError } from "../errors.js";
import { cachedRepositories, parseHubReference } from "../hub/index.js";
import { checkReference, checkSentences } from "../inspect/index.js";
import { CATEGORIES, listModels, resolveReference } from "../lookup/index.js";
import { type Api, inWords } from "./api.js";
import { json, refusals } from "./schemas.js";
import type { Studio } from "./studio.js";

const listSchema = z
  .object({
    pairs: z.array(
      z.object({
        name: z.string(),
        about: z.string(),
        cached: z.boolean().openapi({ description: "opening it downloads nothing, as far as the cache shows" }),
      }),
    ),
    files: z.array(
      z.object({ ref: z.string().openapi({ description: "name in the model folders" }), kind: z.enum(CATEGORIES) }),
    ),
  })
  .openapi("Models");

const listRoute = createRoute({
  method: "get",
  path: "/api/models",
  summary: "Named pairs, and the models of the model folders",
  responses: { 200: json("the models", listSchema), ...refusals(422) },
});

const checkBody = z
  .strictObject({ ref: z.string().min(1).max(1024), base: z.string().min(1).max(1024).optional() })
  .openapi("ModelCheck");

const reportSchema = z
  .object({
    ok: z.boolean().openapi({
      description:
        "a pipeline or checkpoint that can be a base, or another model that is supported and fits the base, where one is named",
    }),
    kind: z.string(),
    family: z.string().nullable(),
    sentences: z.array(z.string()),
  })
  .openapi("ModelReport");

const checkRoute = createRoute({
  method: "post",
  path: "/api/models/check",
  summary: "What a model is, what it lacks and what fits it, as `models check` says it; downloads and loads nothing",
  request: { body: { content: { "application/json": { schema: checkBody } }, required: true } },
  responses: { 200: json("the report", reportSchema), ...refusals(400, 413, 415, 422, 503) },
});

/** True if a reference is a file here or has a repository in the Hub's cache. */
function isHere(ref: string, cached: ReadonlySet<string>): boolean {
  const hub = parseHubReference(ref);
  return existsSync(resolveReference(ref)) || (hub !== null && cached.has(hub.id));
}

const cachedIds = async (): Promise<Set<string>> => new Set((await cachedRepositories()).map(({ id }) => id));

const rowIsHere = ({ base, distilled }: PairRow, cached: ReadonlySet<string>): boolean =>
  [base, distilled].every((ref) => ref === undefined || ref === null || isHere(ref, cached));

/** Refuses a Hub id that is not in the cache: the check of a reference must not start a download. */
async function mustNotDownload(ref: string): Promise<void> {
  const hub = parseHubReference(ref);
  if (hub === null || isHere(ref, await cachedIds())) return;
  throw new RequestError(`${ref} is not in the Hub's cache; \`variegate models pull ${ref}\` downloads it`, {
    field: "ref",
  });
}

export function addModelRoutes(app: Api, { pair, models }: Pick<Studio, "pair" | "models">): void {
  app.openapi(listRoute, async (c) => {
    const [rows, cached] = [await readPairs(models.pairs), await cachedIds()];
    const pairs = rows.map((row) => ({ name: row.name, about: row.about, cached: rowIsHere(row, cached) }));
    const files = (await listModels(pair.lookup.modelFolders ?? [])).map(({ name, category }) => ({
      ref: name,
      kind: category,
    }));
    return c.json({ pairs, files }, 200);
  });
  app.openapi(
    checkRoute,
    async (c) => {
      const { ref, base } = c.req.valid("json");
      for (const each of [ref, ...(base === undefined ? [] : [base])]) await mustNotDownload(each);
      const report = await checkReference(ref, { ...pair.lookup, ...(base !== undefined && { base }) });
      const fits = report.models.every((model) => model.ref !== base || model.fits);
      const ok = report.missing.length === 0 && fits;
      const sentences = checkSentences(report, pair.engine.memoryBudget);
      return c.json({ ok, kind: report.kind, family: report.family, sentences }, 200);
    },
    inWords(checkBody),
  );
}
