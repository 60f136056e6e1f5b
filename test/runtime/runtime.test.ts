import { describe, expect, it } from "vitest";
import { MachineError } from "../../src/errors.js";
import { createBuilder, encodeGraph } from "../../src/graph/index.js";
import { openRuntime } from "../../src/runtime/index.js";
import { createRng, float } from "../../src/tensor/index.js";

const double = () => {
  const g = createBuilder();
  const x = g.input("x", [2]);
  return encodeGraph(g.finish({ y: g.add(x, x) }));
};

describe("the runtime", () => {
  it("keeps the event loop free while a model runs", async () => {
    const runtime = openRuntime({ threads: 1 });
    const g = createBuilder();
    let x = g.input("x", [1024, 1024]);
    const first = x;
    // Enough products for a call of a second or so on one thread.
    for (let i = 0; i < 60; i++) x = g.linear(x, first);
    const session = await runtime.load(encodeGraph(g.finish({ y: x })));
    const feed = createRng(0)
      .randn([1024, 1024])
      .data.map((v) => v / 32);
    let [worst, last] = [0, performance.now()];
    const timer = setInterval(() => {
      const now = performance.now();
      worst = Math.max(worst, now - last);
      last = now;
    }, 5);
    const { milliseconds } = await session.run({ x: float([1024, 1024], feed) });
    clearInterval(timer);
    await runtime.close();
    expect(milliseconds).toBeGreaterThan(0);
    // Not a question of speed: the timer must have ticked during the call, not after it.
    expect(worst).toBeLessThan(Math.max(milliseconds / 2, 50));
  });

  it("answers calls made at the same time, each with its own result", async () => {
    const runtime = openRuntime({ threads: 1 });
    const session = await runtime.load(double());
    const results = await Promise.all([1, 2, 3].map((v) => session.run({ x: float([2], Float32Array.of(v, 10 * v)) })));
    expect(results.map((r) => [...(r.outputs["y"]?.data ?? [])])).toEqual([
      [2, 20],
      [4, 40],
      [6, 60],
    ]);
    await runtime.close();
  });

  it("refuses what comes after closing", async () => {
    const runtime = openRuntime({ threads: 1 });
    const session = await runtime.load(double());
    await runtime.close();
    await expect(session.run({ x: float([2]) })).rejects.toThrow(MachineError);
    await expect(runtime.load(double())).rejects.toThrow("closed");
  });

  it("says which device is missing and what to do", async () => {
    const runtime = openRuntime({ device: "coreml", threads: 1 });
    const failure = await runtime.load(double()).catch((e: unknown) => e);
    await runtime.close();
    if (process.platform === "darwin") return;
    expect(failure).toBeInstanceOf(MachineError);
    expect(String(failure)).toMatch(/coreml.*--device cpu/);
  });
});
