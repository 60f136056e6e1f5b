/** Routes of runs: submit, list, look at, follow as events, cancel, remove. */
import { createRoute, z } from "@hono/zod-openapi";
import { streamSSE } from "hono/streaming";
import { type Api, addressOf, inWords } from "./api.js";
import { createEventLog, type EventLog } from "./event-log.js";
import type { RunRecord } from "./history.js";
import { Refusal } from "./refusal.js";
import type { Run } from "./run.js";
import {
  clientHeader,
  idParams,
  json,
  MOST_LISTED,
  partQuery,
  refusals,
  requestBody,
  requestContent,
  runSchema,
  runView,
  submitQuery,
} from "./schemas.js";
import type { Studio } from "./studio.js";

const submitRoute = createRoute({
  method: "post",
  path: "/api/runs",
  summary: "Queue a run",
  request: {
    headers: clientHeader,
    query: submitQuery,
    body: requestContent,
  },
  responses: { 202: json("the queued run", runSchema), ...refusals(400, 413, 415, 429, 503) },
});

const listRoute = createRoute({
  method: "get",
  path: "/api/runs",
  summary: "Runs of the workspace, newest first",
  request: { query: partQuery },
  responses: { 200: json("a part of the list", z.object({ runs: z.array(runSchema) })), ...refusals(400) },
});

const runRoute = createRoute({
  method: "get",
  path: "/api/runs/{id}",
  summary: "A run with its images so far",
  request: { params: idParams },
  responses: { 200: json("the run", runSchema), ...refusals(400, 404) },
});

const cancelRoute = createRoute({
  method: "post",
  path: "/api/runs/{id}/cancel",
  summary: "End a run: at once if it waits, else after the current model call",
  request: { params: idParams },
  responses: { 202: json("the run", runSchema), ...refusals(400, 404) },
});

const removeRoute = createRoute({
  method: "delete",
  path: "/api/runs/{id}",
  summary: "Remove a run that has ended, with its images",
  request: { params: idParams },
  responses: { 204: { description: "removed" }, ...refusals(400, 404, 409) },
});

const eventsRoute = createRoute({
  method: "get",
  path: "/api/runs/{id}/events",
  summary: "Events of a run as server-sent events; Last-Event-ID goes on where a connection was lost",
  request: {
    params: idParams,
    headers: z.object({ "last-event-id": z.string().optional().openapi({ description: "id of the last event seen" }) }),
  },
  responses: {
    200: { description: "the events", content: { "text/event-stream": { schema: z.string() } } },
    ...refusals(400, 404, 503),
  },
});

/** Most open event streams. */
const MOST_STREAMS = 512;
/** Milliseconds between the comments that keep a silent connection open. */
const HEARTBEAT = 15_000;
/** Milliseconds after which a browser connects again. */
const RETRY = 1_000;

export function addRunRoutes(app: Api, studio: Studio): void {
  const { history } = studio.workspace;
  const found = (id: string): Run | RunRecord => {
    const run = studio.run(id) ?? history.run(id);
    if (!run) throw new Refusal(404, `there is no run ${id}`);
    return run;
  };
  const view = (run: Run | RunRecord) => {
    const live = studio.run(run.id);
    return runView({ ...run, request: { ...run.request } }, history.imagesOf(run.id), live ? studio.ahead(live) : null);
  };

  app.openapi(
    submitRoute,
    async (c) => {
      const client = c.req.valid("header")["variegate-client"] ?? addressOf(c);
      const { supersede = "false", previews = "first" } = c.req.valid("query");
      const run = await studio.submit(client, c.req.valid("json"), { supersede: supersede === "true", previews });
      c.header("Location", `/api/runs/${run.id}`);
      return c.json(view(run), 202);
    },
    inWords(requestBody),
  );
  app.openapi(listRoute, (c) => {
    const { limit = MOST_LISTED, before } = c.req.valid("query");
    return c.json({ runs: history.runs({ limit, before }).map((run) => view(studio.run(run.id) ?? run)) }, 200);
  });
  app.openapi(runRoute, (c) => c.json(view(found(c.req.valid("param").id)), 200));
  app.openapi(cancelRoute, (c) => {
    const run = found(c.req.valid("param").id);
    const live = studio.run(run.id);
    if (live) studio.cancel(live);
    return c.json(view(run), 202);
  });
  app.openapi(removeRoute, async (c) => {
    const run = found(c.req.valid("param").id);
    if (run.state === "queued" || run.state === "running") throw new Refusal(409, "the run goes on; cancel it first");
    await studio.remove(run.id);
    return c.body(null, 204);
  });
  addEvents(app, studio, found);
}

function addEvents(app: Api, studio: Studio, found: (id: string) => Run | RunRecord): void {
  let open = 0;
  app.openapi(eventsRoute, (c) => {
    const run = found(c.req.valid("param").id);
    const log = "log" in run ? run.log : endedLog(studio, run);
    const after = Number(c.req.valid("header")["last-event-id"] ?? 0);
    if (open >= MOST_STREAMS) throw new Refusal(503, `${open} event streams are open already`, { retryAfter: 1 });
    open++;
    // Proxies must not collect the events.
    c.header("X-Accel-Buffering", "no");
    return streamSSE(c, async (stream) => {
      const left = new AbortController();
      stream.onAbort(() => left.abort());
      const heartbeat = setInterval(() => void stream.write(": \n\n"), HEARTBEAT);
      try {
        await stream.write(`retry: ${RETRY}\n\n`);
        for await (const { id, type, json: data } of log.read(Number.isSafeInteger(after) ? after : 0, left.signal)) {
          await stream.writeSSE({ id: String(id), event: type, data });
        }
      } finally {
        clearInterval(heartbeat);
        open--;
      }
    });
  });
}

/** Events of a run that is in the history only: its images and its end. */
function endedLog(studio: Studio, { id, state, error }: RunRecord): EventLog {
  const log = createEventLog(Number.POSITIVE_INFINITY);
  for (const image of studio.workspace.history.imagesOf(id)) log.append({ type: "image", image });
  log.append({ type: "ended", state, error });
  log.end();
  return log;
}
