import { spawnSync } from "node:child_process";
import { realpathSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { openFile } from "../../../src/checkpoint/node/index.js";
import { FileError, MachineError } from "../../../src/errors.js";
import { createBuilder, encodeGraph } from "../../../src/graph/index.js";
import type { Model } from "../../../src/runtime/index.js";
import { openRuntime } from "../../../src/runtime/node/index.js";
import { createRng, float, int, type Tensor } from "../../../src/tensor/index.js";
import { temporaryFolder } from "../../support/folder.js";

const double = () => {
  const g = createBuilder();
  const x = g.input("x", [2]);
  return encodeGraph(g.finish({ y: g.add(x, x) }));
};

/** A program of its own, with the compiled rooms in scope. */
function program(script: string, ...flags: string[]) {
  const room = (name: string) => JSON.stringify(new URL(`../../../dist/${name}/index.js`, import.meta.url).href);
  const imports = `
    import { openFile } from ${room("checkpoint/node")};
    import { createBuilder, encodeGraph } from ${room("graph")};
    import { openRuntime } from ${room("runtime/node")};
    import { float } from ${room("tensor")};
  `;
  const args = [...flags, "--input-type=module", "-e", imports + script];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 });
  return { status, stdout, stderr };
}

describe("the runtime", () => {
  it("names a file that was removed after it was opened", async () => {
    const file = path.join(temporaryFolder(), "weights");
    writeFileSync(file, new Float32Array([1, 2]));
    const source = await openFile(file);
    rmSync(file);
    const g = createBuilder();
    const bytes = { in: "source", source, offset: 0, length: 8 } as const;
    const w = g.weight({ name: "w", dtype: "float32", shape: [2], bytes });
    const model = encodeGraph(g.finish({ y: g.add(g.input("x", [2]), w) }));
    const runtime = openRuntime({ threads: 1 });
    const loaded = runtime.load(model);
    await expect(loaded).rejects.toThrow(FileError);
    await expect(loaded).rejects.toThrow(/weights: is no longer there, or cannot be read/);
    await runtime.close();
  });

  it.runIf(process.platform === "linux")(
    "leaves weights in half precision where they lie when asked to",
    { timeout: 240_000 },
    () => {
      const n = 4096;
      const file = path.join(temporaryFolder(), "weights");
      // 1 as float16, everywhere
      writeFileSync(file, new Uint16Array(n * n).fill(0x3c00));
      // In processes of their own: garbage of the test runner, collected in between, counted too.
      const grown = ["at-load", "per-call"].map((upcast) => {
        const { stdout, stderr } = program(
          `
        import { readFileSync } from "node:fs";
        // Memory that is no mapped file, bytes.
        const own = () => {
          gc();
          return 1024 * Number(/RssAnon:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
        };
        const linear = async (n, file) => {
          const g = createBuilder();
          const bytes = { in: "source", source: await openFile(file), offset: 0, length: 2 * n * n };
          const w = g.weight({ name: "w", dtype: "float16", shape: [n, n], bytes });
          return encodeGraph(g.finish({ y: g.linear(g.input("x", [1, n]), w) }));
        };
        const runtime = openRuntime({ threads: 1 });
        const file = ${JSON.stringify(file)};
        await (await runtime.load(await linear(16, file), "${upcast}")).release();
        const encoded = await linear(${n}, file);
        const before = own();
        const session = await runtime.load(encoded, "${upcast}");
        const grown = own() - before;
        const x = float([1, ${n}], new Float32Array(${n}).fill(0.5));
        const { y } = (await session.run({ x })).outputs;
        console.log(JSON.stringify({ grown, y: y.data[17] }));
        await runtime.close();
        `,
          "--expose-gc",
        );
        expect(stderr).toBe("");
        const measured: { grown: number; y: number } = JSON.parse(stdout);
        expect(measured.y).toBe(n / 2);
        return measured.grown;
      });
      const [atLoad = 0, perCall = 0] = grown;
      expect(atLoad).toBeGreaterThan(0.9 * 4 * n * n);
      expect(perCall).toBeLessThan(0.5 * 4 * n * n);
    },
  );

  it("takes weights from beyond 4 GiB, mapped or read", async () => {
    const file = path.join(temporaryFolder(), "weights");
    const offset = 2 ** 32 + 2 ** 31;
    writeFileSync(file, "");
    // A hole takes no room on the disk.
    truncateSync(file, offset);
    writeFileSync(file, Float32Array.of(3, 5, 7, 11), { flag: "a" });
    const { name, size, read, path: mapped } = await openFile(file);
    expect(mapped).toBe(realpathSync(file));
    const runtime = openRuntime({ threads: 1 });
    for (const source of [
      { name, size, read, path: file },
      { name, size, read },
    ]) {
      const g = createBuilder();
      const bytes = { in: "source", source, offset, length: 16 } as const;
      const weight = g.weight({ name: "w", dtype: "float32", shape: [2, 2], bytes });
      const session = await runtime.load(encodeGraph(g.finish({ y: g.linear(g.input("x", [1, 2]), weight) })));
      const { y } = (await session.run({ x: float([1, 2], Float32Array.of(1, 10)) })).outputs;
      expect([...(y?.data ?? [])]).toEqual([53, 117]);
    }
    await runtime.close();
  });

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

  it("a wrong feed is a programming error, not a limit of the machine", async () => {
    const runtime = openRuntime({ threads: 1 });
    const g = createBuilder();
    const [x, y] = [g.input("x", ["B", 3]), g.input("y", ["B", 3])];
    const session = await runtime.load(encodeGraph(g.finish({ z: g.add(x, y) })));
    const good = float([2, 3]);
    const wrong: Record<string, Tensor>[] = [
      {},
      { x: good },
      { x: good, y: float([3, 2]) },
      { x: good, y: float([6]) },
      { x: good, y: float([1, 2, 3]) },
      { x: good, y: float([4, 3]) },
      { x: good, y: int([2, 3], [0, 0, 0, 0, 0, 0]) },
      { x: good, y: { ...good, data: new Float32Array(5) } },
    ];
    for (const feeds of wrong) await expect(session.run(feeds)).rejects.toThrow(RangeError);
    await expect(session.hold("wrong", { y: float([2, 4]) })).rejects.toThrow(RangeError);
    await expect(session.run({ x: good, y: good }, "never held")).rejects.toThrow(RangeError);
    await session.hold("right", { y: float([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)) });
    expect([...((await session.run({ x: good }, "right")).outputs["z"]?.data ?? [])]).toEqual([1, 2, 3, 4, 5, 6]);
    await session.release();
    await expect(session.run({ x: good, y: good })).rejects.toThrow(RangeError);
    await runtime.close();
  });

  it("so is a model that no machine can run", async () => {
    const runtime = openRuntime({ threads: 1 });
    const garbage: Model = {
      ...{ weights: new Map(), packed: false, fusible: true, type: "float32", inputs: [], outputs: [] },
      encode: () => Uint8Array.of(1, 2, 3),
    };
    await expect(runtime.load(garbage)).rejects.toThrow(RangeError);
    await runtime.close();
  });

  it("too little memory is a limit of the machine, and nothing is printed of it", () => {
    const script = `
      const g = createBuilder();
      // 2^50 bytes, more than a process can address.
      const large = g.resizeNearest(g.input("x", [1, 1, 1, 1]), 2 ** 24, 2 ** 24);
      const runtime = openRuntime({ threads: 1 });
      const session = await runtime.load(encodeGraph(g.finish({ y: g.mean(large, [2, 3]) })));
      await session.run({ x: float([1, 1, 1, 1]) }).catch((error) => console.log(error.name));
      await runtime.close();
    `;
    expect(program(script)).toEqual({ status: 0, stdout: "MachineError\n", stderr: "" });
  });

  it("a feed that cannot be sent leaves nothing behind that keeps the process alive", () => {
    const script = `
      const g = createBuilder();
      const session = await openRuntime({ threads: 1 }).load(encodeGraph(g.finish({ y: g.relu(g.input("x", [2])) })));
      const x = float([2]);
      structuredClone(x.data, { transfer: [x.data.buffer] });
      await session.run({ x }).catch((error) => console.log(error.name));
    `;
    expect(program(script)).toEqual({ status: 0, stdout: "DataCloneError\n", stderr: "" });
  });
});
