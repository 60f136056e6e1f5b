/** Route that writes a request for other programs: as a command, as code of the library, as a diffusers script, as a ComfyUI workflow. */
import path from "node:path";
import { createRoute, z } from "@hono/zod-openapi";
import { comfyWorkflow, commandLine, diffusersScript, libraryCode } from "../convert/index.js";
import { checkRequest, type GenerateRequest } from "../generate/index.js";
import type { PairReference } from "../open/index.js";
import { namesWorkspace, withoutWorkspace } from "./adapter-files.js";
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

type Writer = (studio: Pick<Studio, "pair" | "models">, request: GenerateRequest) => Promise<Text> | Text;

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

/** Models as a text names them: without the model folder of the workspace where the request has no adapter of it. */
async function namedModels({ models, workspace: { folder } }: Studio, request: GenerateRequest) {
  return (await namesWorkspace(folder, request)) ? models : withoutWorkspace(models, folder);
}

/** A text with the workspace relative to the folder in which the studio was started, so that it can be shown to others. */
function portable(written: Text, workspace: string): Text {
  const place = path.resolve(workspace);
  const relative = path.relative(process.cwd(), place) || ".";
  const quoted = (text: string) => JSON.stringify(text).slice(1, -1);
  const text = written.text.replaceAll(place, relative).replaceAll(quoted(place), quoted(relative));
  const notices = written.notices.map((notice) => notice.replaceAll(place, relative));
  if (text !== written.text) notices.push("its paths begin at the folder in which the studio was started");
  return { ...written, text, notices };
}

export function addExportRoutes(app: Api, studio: Studio): void {
  app.openapi(
    exportRoute,
    async (c) => {
      const request = c.req.valid("json");
      checkRequest(studio.pair, request);
      const models = await namedModels(studio, request);
      const written = await WRITERS[c.req.valid("query").as]({ pair: studio.pair, models }, request);
      return c.json(portable(written, studio.workspace.folder), 200);
    },
    inWords(requestBody),
  );
}
