import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GenerateEvent, type GenerateRequest, generate } from "../../src/generate/index.js";
import { type OpenedPair, openPair } from "../../src/open/index.js";

let pair: OpenedPair;
beforeAll(async () => {
  pair = await openPair({ pair: "embedded" });
});
afterAll(() => pair.close());

async function notices(request: Partial<GenerateRequest>): Promise<string[]> {
  const events: GenerateEvent[] = [];
  for await (const event of generate(pair, {
    prompts: ["a cartoon character"],
    size: { width: 64, height: 48 },
    ...request,
  })) {
    events.push(event);
  }
  return events.flatMap((event) => (event.type === "notice" ? event.text : []));
}

describe("notices of a request", () => {
  it("says that a negative prompt is not read without guidance", async () => {
    expect(await notices({ negative: "a hat" })).toEqual([expect.stringContaining("negative prompt has no effect")]);
  });

  it("says nothing where a step is guided, or without a negative prompt", async () => {
    expect(await notices({ negative: "a hat", mode: "base", guidance: 5 })).toEqual([]);
    expect(await notices({})).toEqual([]);
  });
});
