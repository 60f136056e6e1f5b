/** Route that writes a request for other programs: as a command, as code of the library, as a diffusers script, as a ComfyUI workflow. */
import { createRoute, z } from "@hono/zod-openapi";
import { comfyWorkflow, commandLine, diffusersScript, libraryCode } from "../convert/index.js";
import { checkRequest, type GenerateRequest } from "../generate/index.js";
import type { PairReference } from "../open/index.js";
import { type Api, inWords } from "./api.js";
import { json, refusals, requestBody, requestContent } from "./schemas.js";
import type { Studio } from "./studio.js";

const FORMS = ["command", "library", "diffusers", "comfyui"] as const;

const textSchema = z
  .object({
    text: z.string(),
    file: z.string().openapi({ description: "name of a file for the text" }),
    notices: z.array(z.string()).openapi({ description: "what to know before it is run, as sentences" }),
  })
  .openapi("Export");
type Text = z.output<typeof textSchema>;

const exportRoute = createRoute({
  method: "post",
  path: "/api/export",
  summary: "A request for other programs; loads nothing",
  request: {
    query: z.strictObject({ as: z.enum(FORMS) }),
    body: requestContent,
  },
  responses: { 200: json("the text", textSchema), ...refusals(400, 413, 415, 422) },
});

/** Models and request as the command line has them: the adapters of the request beside those of the models. */
function parted(models: PairReference, { adapters = [], ...request }: GenerateRequest) {
  return { reference: { ...models, adapters: [...(models.adapters ?? []), ...adapters] }, request };
}

type Writer = (studio: Studio, request: GenerateRequest) => Promise<Text> | Text;

const WRITERS: { readonly [F in (typeof FORMS)[number]]: Writer } = {
  command: ({ models }, request) => ({ text: commandLine(models, request), file: "run.sh", notices: [] }),
  library: ({ models }, request) => ({ text: libraryCode(models, request), file: "run.mjs", notices: [] }),
  async diffusers({ pair, models }, given) {
    const { request, reference } = parted(models, given);
    return { text: await diffusersScript(pair, request, reference), file: "run.py", notices: [] };
  },
  async comfyui({ pair, models }, given) {
    const { request, reference } = parted(models, given);
    const { workflow, files, notices } = await comfyWorkflow(pair, request, reference);
    return {
      text: JSON.stringify(workflow, null, 2),
      file: "workflow.json",
      notices: [...files.map(({ path, ref }) => `ComfyUI loads models/${path}: ${ref}`), ...notices],
    };
  },
};

export function addExportRoutes(app: Api, studio: Studio): void {
  app.openapi(
    exportRoute,
    async (c) => {
      const request = c.req.valid("json");
      checkRequest(studio.pair, request);
      return c.json(await WRITERS[c.req.valid("query").as](studio, request), 200);
    },
    inWords(requestBody),
  );
}
