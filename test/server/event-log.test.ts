import { describe, expect, it } from "vitest";
import { createEventLog, type EventLog } from "../../src/server/event-log.js";

async function idsOf(log: EventLog, after = 0): Promise<string[]> {
  const seen: string[] = [];
  for await (const { id, type } of log.read(after, new AbortController().signal)) seen.push(`${id} ${type}`);
  return seen;
}

describe("the event log", () => {
  it("gives each reader all events from its place on, those to come too", async () => {
    const log = createEventLog(1_000);
    log.append({ type: "a" });
    log.append({ type: "b" });
    const readers = [idsOf(log), idsOf(log, 1), idsOf(log, 2)];
    await new Promise((resolve) => setTimeout(resolve, 5));
    log.append({ type: "c" });
    log.end();
    expect(await Promise.all(readers)).toEqual([["1 a", "2 b", "3 c"], ["2 b", "3 c"], ["3 c"]]);
    // An id that this log has not given starts over.
    expect(await idsOf(log, 9)).toEqual(["1 a", "2 b", "3 c"]);
  });

  it("holds a bounded number of characters, and says what was dropped", async () => {
    const log = createEventLog(100);
    for (let i = 0; i < 50; i++) log.append({ type: "step", i });
    log.end();
    expect(log.size).toBeLessThanOrEqual(100);
    const seen = await idsOf(log, 3);
    expect(seen[0]).toMatch(/^4\d missed$/);
    expect(seen.slice(-2)).toEqual(["49 step", "50 step"]);
    expect(Number.parseInt(seen[1] ?? "", 10)).toBe(Number.parseInt(seen[0] ?? "", 10) + 1);
  });

  it("ends a reader that leaves while it waits", async () => {
    const log = createEventLog(100);
    const controller = new AbortController();
    const reading = log.read(0, controller.signal).next();
    controller.abort();
    expect(await reading).toEqual({ done: true, value: undefined });
  });
});
