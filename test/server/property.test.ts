import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { documentSchema, nearly, type OpenApi, type Operation, problemOf, valuesOf } from "../support/openapi.js";
import { studioForTests } from "../support/studio.js";

const client = studioForTests();

/** Requests to each route. */
const RUNS = Number(process.env["API_RUNS"] ?? 4);

/** Fields that say how much work a request is, with the most that this test asks for. */
const WORK: Readonly<Record<string, number>> = {
  ...{ steps: 2, baseSteps: 2, n: 1, batch_size: 1, n_iter: 1, width: 64, height: 48, limit: 20 },
};
const SIZE = { width: 64, height: 48 };

/** Less work: the request is as valid, or as invalid, as it was. */
function small(path: string, body: unknown): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
  const entries = Object.entries(body).map(([name, value]): [string, unknown] => {
    const most = WORK[name];
    if (most !== undefined && typeof value === "number") return [name, Math.min(most, value)];
    if (name === "variegate") return [name, small("", value)];
    return [name, (name === "prompts" || name === "seeds") && Array.isArray(value) ? value.slice(0, 1) : value];
  });
  const own = Object.fromEntries(entries);
  if (path === "/v1/images/generations" && own["size"] === undefined) return { ...own, size: "64x48" };
  if (path === "/sdapi/v1/txt2img") return { ...SIZE, steps: 2, ...own };
  if (path === "/api/runs" && own["size"] === undefined) return { ...own, size: SIZE };
  return own;
}

interface Sample {
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** Requests to an operation: a half of them fit the document. */
function samplesOf(document: OpenApi, { parameters, requestBody }: Operation): fc.Arbitrary<Sample> {
  const part = (place: string, mistaken: boolean) =>
    fc.record(
      Object.fromEntries(
        parameters
          .filter((p) => p.in === place)
          .map(({ name, schema, required }) => {
            const value = valuesOf(document, schema);
            const some = mistaken ? fc.oneof(value, fc.string({ minLength: 1 })) : value;
            return [name, required ? some : fc.option(some, { nil: undefined })];
          }),
      ),
    );
  const bodies = requestBody && valuesOf(document, Object.values(requestBody.content)[0]?.schema ?? {});
  const either = (mistaken: boolean) =>
    fc.record({
      params: part("path", mistaken),
      query: part("query", mistaken),
      body: bodies ? (mistaken ? nearly(bodies) : bodies) : fc.constant(undefined),
    });
  return fc.oneof(either(false), either(true));
}

const document = async () => documentSchema.parse((await client.send("GET", "openapi.json")).body);

async function answerTo(method: string, path: string, type: string, { params, query, body }: Sample) {
  const place = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(name, String(value));
  const sent = type === "application/json" ? JSON.stringify(small(path, body)) : String(body);
  const answer = await fetch(new URL(`${place}?${asked}`, client.url()), {
    ...{ method, redirect: "manual" },
    ...(body !== undefined && { body: sent, headers: { "content-type": type } }),
  });
  const kind = answer.headers.get("content-type") ?? "";
  const text = await answer.text();
  return { status: answer.status, type: kind, body: kind.startsWith("application/json") ? JSON.parse(text) : text };
}

describe("every route of the OpenAPI document", { timeout: 600_000 }, () => {
  it("answers valid and invalid requests with a documented status and body, and never with 500", async () => {
    const api = await document();
    const routes = Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
    expect(routes.length).toBeGreaterThan(25);
    const statuses = new Set<number>();
    for (const { path, method, operation } of routes) {
      const [type = "application/json"] = Object.keys(operation.requestBody?.content ?? {});
      await fc.assert(
        fc.asyncProperty(samplesOf(api, operation), async (sample) => {
          const answer = await answerTo(method.toUpperCase(), path, type, sample);
          statuses.add(answer.status);
          expect(problemOf(api, operation, answer), `${method} ${path} ${JSON.stringify(sample)}`).toBeNull();
        }),
        { numRuns: RUNS },
      );
    }
    // The requests reach both sides of the checks.
    expect([...statuses].sort()).toEqual(expect.arrayContaining([200, 202, 400, 404, 422]));
    expect(client.errors).toEqual([]);
  });
});
