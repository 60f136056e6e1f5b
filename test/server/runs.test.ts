import { describe, expect, it } from "vitest";
import { z } from "zod";
import { decodePng, readPngText } from "../../src/files/index.js";
import { openPair } from "../../src/open/index.js";
import { studioForTests } from "../support/studio.js";

const client = studioForTests();
const { send, events } = client;

const image = z.object({
  id: z.string(),
  seed: z.number(),
  prompt: z.number(),
  url: z.string(),
  favourite: z.boolean(),
});
const run = z.object({ id: z.string(), state: z.string(), ahead: z.number().nullable(), images: z.array(image) });
const problem = z.object({ error: z.object({ message: z.string(), field: z.string().optional() }) });

const REQUEST = { prompts: ["a cartoon character wearing a crown"], seeds: [3, 5], size: { width: 64, height: 48 } };
const LONG = { ...REQUEST, seeds: Array.from({ length: 64 }, (_, i) => i), mode: "base", steps: 50 };

async function submit(request: unknown, query = "", name = "a") {
  const { status, body } = await send("POST", `api/runs${query}`, request, { "variegate-client": name });
  expect(status).toBe(202);
  return run.parse(body);
}
const stateOf = async (id: string) => run.parse((await send("GET", `api/runs/${id}`)).body).state;

describe("a run", { timeout: 240_000 }, () => {
  it("yields its events in order, with previews before images, and images that equal the library's", async () => {
    const { id } = await submit(REQUEST);
    const seen = await events(id);
    expect(seen.map((e) => e.id)).toEqual(seen.map((_, i) => i + 1));
    const types = seen.map(({ type }) => type);
    expect(types.filter((type) => type !== "step" && type !== "loaded" && type !== "notice")).toEqual([
      "queued",
      "started",
      "encoded",
      "preview",
      "preview",
      "image",
      "image",
      "done",
      "ended",
    ]);
    expect(types.filter((type) => type === "step").length).toBe(8);
    expect(types.indexOf("preview")).toBeLessThan(types.lastIndexOf("step"));
    const preview = seen.find(({ type }) => type === "preview")?.data;
    expect(preview).toMatchObject({ seed: 3, step: 0, image: expect.stringMatching(/^data:image\/webp;base64,/) });
    expect(seen.at(-1)?.data).toEqual({ type: "ended", state: "done", error: null });

    const { images } = run.parse((await send("GET", `api/runs/${id}`)).body);
    expect(images.map(({ seed }) => seed)).toEqual([3, 5]);
    await using pair = await openPair({ threads: 1 });
    const expected = await pair.generate(REQUEST);
    for (const [i, { url }] of images.entries()) {
      const { headers, body } = await send("GET", url);
      expect(headers.get("content-type")).toBe("image/png");
      const png = z.instanceof(Buffer).parse(body);
      const pixels = await decodePng(png);
      expect([pixels.width, pixels.height]).toEqual([64, 48]);
      expect(Buffer.from(pixels.data).equals(Buffer.from(expected[i]?.data ?? []))).toBe(true);
      const record = JSON.parse((await readPngText(png)).get("variegate") ?? "{}");
      expect(record).toMatchObject({ seed: images[i]?.seed, prompt: REQUEST.prompts[0], request: { seeds: [3, 5] } });
    }
  });

  it("lists images in the order of its seeds, though those of an earlier run are saved apart", async () => {
    const prompts = ["a cartoon character with horns"];
    await events((await submit({ ...REQUEST, prompts, seeds: [5, 7] })).id);
    const { id } = await submit({ ...REQUEST, prompts, seeds: [4, 5, 6, 7] });
    const made = (await events(id)).filter(({ type }) => type === "image");
    expect(made.map(({ data }) => data["image"])).toMatchObject([{ seed: 4 }, { seed: 6 }, { seed: 5 }, { seed: 7 }]);
    expect(run.parse((await send("GET", `api/runs/${id}`)).body).images.map(({ seed }) => seed)).toEqual([4, 5, 6, 7]);
  });

  it("goes on for a reader that comes back with the id of its last event", async () => {
    const { id } = await submit(REQUEST, "?previews=all");
    const first = await events(id, { until: "preview" });
    const rest = await events(id, { after: first.at(-1)?.id ?? 0 });
    const whole = await events(id);
    expect([...first, ...rest]).toEqual(whole);
    expect(whole.filter(({ type }) => type === "preview").map(({ data }) => [data.seed, data.step])).toEqual(
      // The x0 of the last step is the image.
      [0, 1, 2].flatMap((step) => [3, 5].map((seed) => [seed, step])),
    );
  });

  it("ends when it is cancelled, waiting or running, and is listed with its state", async () => {
    const running = await submit(LONG, "?previews=none");
    const waiting = await submit(REQUEST);
    expect(waiting).toMatchObject({ state: "queued", ahead: 1 });
    await events(running.id, { until: "step" });
    expect((await send("DELETE", `api/runs/${running.id}`)).status).toBe(409);
    await send("POST", `api/runs/${waiting.id}/cancel`);
    expect(await stateOf(waiting.id)).toBe("cancelled");
    expect((await send("POST", `api/runs/${running.id}/cancel`)).status).toBe(202);
    expect((await events(running.id)).at(-1)?.data).toMatchObject({ state: "cancelled" });
    const { runs } = z.object({ runs: z.array(run) }).parse((await send("GET", "api/runs?limit=2")).body);
    expect(runs.map(({ id, state }) => [id, state])).toEqual([
      [waiting.id, "cancelled"],
      [running.id, "cancelled"],
    ]);
  });

  it("is superseded by the client's next change, and not by that of another client", async () => {
    const running = await submit(LONG);
    await events(running.id, { until: "step" });
    const other = await submit(REQUEST, "", "b");
    const older = await submit(REQUEST, "?supersede=true");
    const newest = await submit({ ...REQUEST, seeds: [7] }, "?supersede=true");
    expect((await events(newest.id)).at(-1)?.data).toMatchObject({ state: "done" });
    expect(await Promise.all([running, older, other, newest].map(({ id }) => stateOf(id)))).toEqual([
      "superseded",
      "superseded",
      "done",
      "done",
    ]);
  });

  it("is refused when too many of the client wait, with the time to wait; others are served in turn", async () => {
    const running = await submit(LONG, "", "greedy");
    await events(running.id, { until: "step" });
    const statuses: number[] = [];
    for (let i = 0; i < 33; i++) {
      const { status, headers } = await send("POST", "api/runs", REQUEST, { "variegate-client": "greedy" });
      statuses.push(status);
      if (status === 429) expect(Number(headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    }
    expect(statuses).toEqual([...Array(32).fill(202), 429]);
    expect(await submit(REQUEST, "", "modest")).toMatchObject({ ahead: 2 });
    const { runs } = z.object({ runs: z.array(run) }).parse((await send("GET", "api/runs?limit=40")).body);
    for (const { id, state } of runs) if (state === "queued") await send("POST", `api/runs/${id}/cancel`);
    await send("POST", `api/runs/${running.id}/cancel`);
    await events(running.id);
  });

  it("marks favourites, and removes an ended run with its images", async () => {
    const { id } = await submit({ ...REQUEST, seeds: [9], adapters: [{ ref: "smile.base", scale: 1.5, on: "base" }] });
    await events(id);
    const [saved] = run.parse((await send("GET", `api/runs/${id}`)).body).images;
    const changed = await send("PATCH", saved?.url ?? "", { favourite: true });
    expect(changed).toMatchObject({ status: 200, body: { id: saved?.id, favourite: true } });
    expect((await send("GET", "api/favourites")).body).toMatchObject({ images: [{ id: saved?.id, seed: 9 }] });
    expect((await send("DELETE", `api/runs/${id}`)).status).toBe(204);
    for (const path of [`api/runs/${id}`, saved?.url ?? "", `api/runs/${id}/events`]) {
      expect((await send("GET", path)).status).toBe(404);
    }
  });

  it.each<[string, unknown, string | undefined, RegExp]>([
    ["an unknown field", { ...REQUEST, seedz: [1] }, "seedz", /"seedz" is not a field; did you mean "seeds"\?/],
    ["a value out of range", { ...REQUEST, seeds: [-1] }, "seeds.0", /seeds\.0 is -1; expected an integer, at least 0/],
    ["no prompt", { seeds: [1] }, "prompts", /prompts is missing/],
    ["JSON that is cut off", '{"prompts":[', undefined, /Malformed JSON/],
    ["a size that the model does not have", { ...REQUEST, size: { width: 65, height: 48 } }, "size.width", /multiple/],
    ["a huge size", { ...REQUEST, size: { width: 8192, height: 64 } }, "size", /at most 262144 pixels/],
    ["too many images", { prompts: Array(40).fill("x"), seeds: LONG.seeds }, "seeds", /2560 images.*at most 1024/],
    ["an adapter by path", { ...REQUEST, adapters: [{ ref: "/etc/passwd" }] }, "adapters.0.ref", /expected the name/],
    ["an adapter of the Hub", { ...REQUEST, adapters: [{ ref: "owner/name" }] }, "adapters.0.ref", /expected the name/],
    ["an unknown scheduler", { ...REQUEST, scheduler: "Eular" }, undefined, /Eular/],
  ])("refuses %s", async (_, request, field, message) => {
    const { status, body } = await send("POST", "api/runs", request);
    const { error } = problem.parse(body);
    expect(error.message).toMatch(message);
    expect({ status, field: error.field }).toEqual({ status: 400, field: field ?? error.field });
  });

  it("reported no error of its own", () => {
    expect(client.errors).toEqual([]);
  });
});
