import { describe, expect, it } from "vitest";
import { z } from "zod";
import { studioForTests } from "../support/studio.js";

const client = studioForTests();
const { send, events } = client;

const pairView = z.object({
  pair: z.string().nullable(),
  opening: z.object({ text: z.string(), error: z.string().nullable() }).nullable(),
});
const pair = async () => pairView.parse((await send("GET", "api/pair")).body);
/** The pair once nothing is being opened. */
const settled = async () => {
  await expect.poll(async () => (await pair()).opening?.error !== null, { timeout: 30_000 }).toBe(true);
  return pair();
};

describe("other models", { timeout: 240_000 }, () => {
  it("take the place of those of the studio, with its history", async () => {
    const request = { prompts: ["a cartoon character"], seeds: [1], size: { width: 64, height: 48 } };
    const run = z.object({ id: z.string() });
    const { id } = run.parse((await send("POST", "api/runs", request)).body);
    await events(id);
    const answer = await send("POST", "api/pair", { pair: "embedded-lcm" });
    expect([answer.status, pairView.parse(answer.body)]).toEqual([
      202,
      { pair: "embedded", opening: { text: "embedded-lcm", error: null } },
    ]);
    expect(await settled()).toEqual({ pair: "embedded-lcm", opening: null });
    expect((await send("GET", `api/runs/${id}`)).body).toMatchObject({ state: "done", images: [{ seed: 1 }] });
    const next = run.parse((await send("POST", "api/runs", request)).body);
    expect((await events(next.id)).at(-1)?.data).toEqual({ type: "ended", state: "done", error: null });
    expect(client.errors).toEqual([]);
  });

  it("are refused with the reason, and the ones before stay open", async () => {
    const before = (await pair()).pair;
    expect((await send("POST", "api/pair", { base: "/no/such/model" })).status).toBe(202);
    expect(await settled()).toMatchObject({
      pair: before,
      opening: { error: expect.stringMatching(/no\/such\/model/) },
    });
    for (const body of [{}, { pair: "" }, { pair: "embedded", base: "embedded:base" }, { pair: 1 }]) {
      expect((await send("POST", "api/pair", body)).status, JSON.stringify(body)).toBe(400);
    }
    expect(client.errors).toEqual([]);
  });
});
