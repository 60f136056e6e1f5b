import { describe, expect, it } from "vitest";
import { retryAfter, TransientError, withRetries } from "../../src/hub/retry.js";

/** Fails as told, then gives "done"; and the waits in between. */
async function run(failures: readonly Error[], o: { triesIfUnreachable?: number } = {}) {
  const waits: number[] = [];
  const left = [...failures];
  const result = await withRetries(
    async () => {
      const failure = left.shift();
      if (failure) throw failure;
      return "done";
    },
    { ...o, wait: async (ms) => void waits.push(ms) },
  ).catch((error: Error) => error.message);
  return { result, waits };
}
const lost = (facts = {}) => new TransientError("lost", facts);

describe("trying again", () => {
  it("waits twice as long each time", async () => {
    expect(await run([lost(), lost(), lost()])).toEqual({ result: "done", waits: [1000, 2000, 4000] });
  });
  it("ends after six tries", async () => {
    expect(await run(Array.from({ length: 6 }, () => lost()))).toMatchObject({ result: "lost", waits: { length: 5 } });
  });
  it("begins anew when something was achieved, but not for ever", async () => {
    const some = Array.from({ length: 10 }, () => lost({ progressed: true }));
    expect(await run(some)).toEqual({ result: "done", waits: some.map(() => 1000) });
    expect((await run(Array.from({ length: 100 }, () => lost({ progressed: true })))).result).toBe("lost");
  });
  it("waits as long as it is asked to, if that is not too long", async () => {
    expect(await run([lost({ after: 0 }), lost({ after: 30_000 })])).toEqual({ result: "done", waits: [0, 30_000] });
    expect(await run([lost({ after: 400_000 })])).toEqual({ result: "lost", waits: [] });
  });
  it("is for what may pass, and for a server that is there", async () => {
    expect(await run([new Error("a bug")])).toEqual({ result: "a bug", waits: [] });
    expect(await run([lost({ unreachable: true })], { triesIfUnreachable: 1 })).toEqual({ result: "lost", waits: [] });
  });
  it("stops with the signal, also while it waits", async () => {
    const stop = new AbortController();
    const waiting = withRetries(async () => Promise.reject(lost()), {
      signal: stop.signal,
      onWait: () => stop.abort(new Error("enough")),
    });
    await expect(waiting).rejects.toThrow("enough");
  });
});

describe("Retry-After", () => {
  it.each([
    [null, null],
    ["12", 12_000],
    ["Wed, 21 Oct 2026 07:28:30 GMT", 30_000],
    ["Wed, 21 Oct 2026 07:00:00 GMT", 0],
    ["soon", null],
  ])("%s", (header, expected) => expect(retryAfter(header, Date.UTC(2026, 9, 21, 7, 28, 0))).toBe(expected));
});
