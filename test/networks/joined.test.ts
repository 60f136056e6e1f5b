import { describe, expect, it } from "vitest";
import { type Feeds, joinedCalls } from "../../src/networks/joined.js";
import type { RunResult } from "../../src/runtime/index.js";
import { float, int } from "../../src/tensor/index.js";

/** Work one after another, as a session pool does it. */
function turns() {
  let turn: Promise<unknown> = Promise.resolve();
  return (work: () => Promise<void>): Promise<void> => {
    const next = turn.then(work);
    turn = next.catch(() => {});
    return next;
  };
}

/** A network that multiplies `x`, [B, 2], and the batches of its calls. */
function doubling(by = 2) {
  const batches: number[] = [];
  const make = async ({ x }: Feeds): Promise<RunResult> => {
    if (x?.dtype !== "float32") throw new TypeError("x is missing");
    const samples = x.shape[0] ?? 0;
    batches.push(samples);
    if (x.data.includes(13)) throw new Error("no luck");
    const y = float(
      x.shape,
      x.data.map((v) => by * v),
    );
    return { outputs: { y }, milliseconds: samples };
  };
  return { batches, make };
}

const of = (...values: number[]): Feeds => ({
  x: float([values.length, 2], Float32Array.from(values.flatMap((v) => [v, -v]))),
});
const values = ({ outputs: { y } }: RunResult) => [...(y?.data ?? [])].map(Number);

describe("calls that wait at the same time", () => {
  it("are made as one, and each gets its own samples", async () => {
    const { run } = joinedCalls(8, turns());
    const { batches, make } = doubling();
    const made = await Promise.all([run("a", of(1), make), run("a", of(2, 3), make), run("a", of(4), make)]);
    expect(batches).toEqual([4]);
    expect(made.map(values)).toEqual([
      [2, -2],
      [4, -4, 6, -6],
      [8, -8],
    ]);
    expect(made.map((r) => r.milliseconds)).toEqual([1, 2, 1]);
  });

  it("stay apart where their keys differ, and keep their order within a key", async () => {
    const { run } = joinedCalls(8, turns());
    const { batches, make } = doubling();
    const other = doubling(3);
    const made = await Promise.all([
      run("a", of(1), make),
      run("a", of(2), make),
      run("b", of(3), other.make),
      run("a", of(4), make),
      run("b", of(5), other.make),
    ]);
    expect([batches, other.batches]).toEqual([[3], [2]]);
    expect(made.map((r) => values(r)[0])).toEqual([2, 4, 9, 8, 15]);
  });

  it("have at most as many samples as are allowed, and a larger call is made alone", async () => {
    const { run } = joinedCalls(3, turns());
    const { batches, make } = doubling();
    await Promise.all([
      run("a", of(1, 1), make),
      run("a", of(2, 2, 2, 2), make),
      run("a", of(3), make),
      run("a", of(4), make),
    ]);
    expect(batches).toEqual([3, 4, 1]);
  });

  it("join the next calls of runs that go on", async () => {
    const { run } = joinedCalls(8, turns());
    const { batches, make } = doubling();
    const steps = async (n: number) => {
      for (let i = 0; i < n; i++) await run("a", of(i), make);
    };
    await Promise.all([steps(3), steps(3), steps(2)]);
    expect(batches).toEqual([3, 3, 2]);
  });

  it("fail together, and the next ones are made", async () => {
    const { run } = joinedCalls(8, turns());
    const { make } = doubling();
    const failed = await Promise.allSettled([run("a", of(13), make), run("a", of(2), make)]);
    expect(failed.map((f) => f.status)).toEqual(["rejected", "rejected"]);
    expect(values(await run("a", of(2), make))).toEqual([4, -4]);
  });

  it("are refused where a feed has no batch", async () => {
    const { run } = joinedCalls(8, turns());
    const { make } = doubling();
    const table = { ...of(1, 2), table: float([5, 1]) };
    await expect(run("a", table, make)).rejects.toThrow("batches of 2 and 5");
    const other = { x: int([1, 2], [1, 2]) };
    await expect(Promise.all([run("a", of(1), make), run("a", other, make)])).rejects.toThrow("a float value");
  });
});
