import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFairQueue } from "../../src/server/fair-queue.js";

const takeAll = (queue: ReturnType<typeof createFairQueue<string>>): string[] => {
  const taken: string[] = [];
  for (let work = queue.take(); work !== undefined; work = queue.take()) taken.push(work);
  return taken;
};

describe("the fair queue", () => {
  it("gives clients turns, and keeps the order of each client's work", () => {
    const queue = createFairQueue<string>();
    for (const work of ["a1", "a2", "a3", "b1", "c1", "c2"]) queue.add(work.slice(0, 1), work);
    expect(queue.of("a")).toEqual(["a1", "a2", "a3"]);
    expect(["a1", "a2", "a3", "b1", "c1", "c2"].map((work) => queue.ahead(work))).toEqual([0, 3, 5, 1, 2, 4]);
    expect(takeAll(queue)).toEqual(["a1", "b1", "c1", "a2", "c2", "a3"]);
    expect(queue.length).toBe(0);
  });

  it("takes a client that comes back behind those that wait", () => {
    const queue = createFairQueue<string>();
    for (const work of ["a1", "b1", "b2"]) queue.add(work.slice(0, 1), work);
    expect(queue.take()).toBe("a1");
    queue.add("a", "a2");
    expect(takeAll(queue)).toEqual(["b1", "a2", "b2"]);
  });

  it("removes work that waits", () => {
    const queue = createFairQueue<string>();
    for (const work of ["a1", "a2", "b1"]) queue.add(work.slice(0, 1), work);
    expect([queue.remove("a1"), queue.remove("a1"), queue.ahead("a1")]).toEqual([true, false, null]);
    expect([queue.remove("b1"), queue.of("b"), queue.length]).toEqual([true, [], 1]);
    expect(takeAll(queue)).toEqual(["a2"]);
  });

  it("starves nobody: between two turns of a client every other waiting client has one, and `ahead` is the place", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 40 }), (clients) => {
        const queue = createFairQueue<string>();
        const all = clients.map((client, i) => `${client}-${i}`);
        for (const work of all) queue.add(work.slice(0, 1), work);
        const places = new Map(all.map((work) => [work, queue.ahead(work)]));
        const taken = takeAll(queue);
        expect([...taken].sort()).toEqual([...all].sort());
        for (const [place, work] of taken.entries()) expect(places.get(work)).toBe(place);
        for (const client of new Set(clients)) {
          const turns = taken.flatMap((work, i) => (work.startsWith(`${client}-`) ? [i] : []));
          for (const [k, turn] of turns.entries()) {
            const between = taken.slice((turns[k - 1] ?? -1) + 1, turn).map((work) => work.slice(0, 1));
            expect(new Set(between).size).toBe(between.length);
          }
        }
      }),
    );
  });
});
