import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { swiftshader } from "../../support/swiftshader.js";

const PACKAGE = new URL("../../../node_modules/onnxruntime-node/", import.meta.url);
const room = (name: string) => JSON.stringify(new URL(`../../../dist/${name}/index.js`, import.meta.url).href);

/** Runs a program that has the compiled rooms in scope. */
function program(script: string, env: Readonly<Record<string, string>> = {}) {
  const imports = `
    import { readFileSync } from "node:fs";
    import { createBuilder, encodeGraph } from ${room("graph")};
    import { openRuntime } from ${room("runtime/node")};
    import { float, createRng } from ${room("tensor")};
    const child = () => Number(readFileSync("/proc/self/task/" + process.pid + "/children", "utf8").trim().split(" ")[0]);
    const g = createBuilder();
    const x = g.input("x", [2, 3]);
    const model = encodeGraph(g.finish({ y: g.add(x, g.add(x, g.constant([3], Float32Array.of(1, 2, 3)))) }));
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", imports + script], {
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: 110_000,
  });
  return { status, stdout, stderr };
}

/** ONNX Runtime's part for CUDA, which `npm install` fetches where there is an NVIDIA card. */
const hasCuda = existsSync(fileURLToPath(new URL("bin/napi-v6/linux/x64/libonnxruntime_providers_shared.so", PACKAGE)));

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe.runIf(process.platform === "linux")("a device other than the CPU", { timeout: 240_000 }, () => {
  it("whose driver crashes ends its own process only, and the caller gets an error", () => {
    const script = `
      const runtime = openRuntime({ device: "webgpu", threads: 1 });
      const loading = runtime.load(model);
      // What the kernel does after a wrong access to memory.
      process.kill(child(), "SIGSEGV");
      await loading.catch((error) => console.log(error.name, error.message));
      await runtime.load(model).catch((error) => console.log(error.message));
      await runtime.close();
    `;
    const line = "the process of webgpu ended with SIGSEGV\n";
    expect(program(script)).toEqual({ status: 0, stdout: `MachineError ${line}${line}`, stderr: "" });
  });

  it("leaves no process behind when the program ends without closing it, or is killed", async () => {
    const opened = `
      const runtime = openRuntime({ device: "coreml", threads: 1 });
      await runtime.load(model).catch(() => {});
      console.log(child());
    `;
    for (const last of ["", `process.kill(process.pid, "SIGKILL");`]) {
      const pid = Number(program(opened + last).stdout);
      expect(pid).toBeGreaterThan(1);
      for (let i = 0; i < 100 && alive(pid); i++) await sleep(50);
      expect(alive(pid)).toBe(false);
    }
  });

  it("that is missing prints nothing, and its driver's words are in the error", () => {
    const script = `
      const runtime = openRuntime({ device: "webgpu", threads: 1 });
      await runtime.load(model).catch((error) => console.log(error.message));
      await runtime.close();
    `;
    const { status, stdout, stderr } = program(script, { LD_LIBRARY_PATH: "", VK_ICD_FILENAMES: "/missing.json" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(
      /^webgpu is not available here \(.*No supported adapters; .*(libvulkan|driver).*--device cpu/i,
    );
  });

  it.skipIf(hasCuda)("that lacks its library names it in one short line", () => {
    const script = `
      const runtime = openRuntime({ device: "cuda", threads: 1 });
      await runtime.load(model).catch((error) => console.log(error.message));
      await runtime.close();
    `;
    expect(program(script).stdout).toMatch(
      /^cuda is not available here \(libonnxruntime_providers_\w+\.so is missing\); try --device cpu, or see variegate doctor\n$/,
    );
  });

  it.skipIf(!swiftshader)(
    `computes what the CPU computes, with feeds of every call and inputs kept between calls${swiftshader ? "" : " (skipped: apt-get install -y chromium has SwiftShader)"}`,
    () => {
      const script = `
        const sums = createBuilder();
        const [a, b] = [sums.input("a", ["B", 3]), sums.input("b", ["B", 3])];
        const both = encodeGraph(sums.finish({ y: sums.mul(a, sums.add(a, b)) }));
        const results = [];
        for (const device of ["cpu", "webgpu"]) {
          const runtime = openRuntime({ device, threads: 1 });
          const session = await runtime.load(both);
          const [one, two] = [createRng(1).randn([2, 3]), createRng(2).randn([2, 3])];
          await session.hold("kept", { b: two });
          // The second feed is a part of a larger buffer.
          const part = float([2, 3], new Float32Array(Float32Array.of(9, 9, 1, 2, 3, 4, 5, 6, 9).buffer, 8, 6));
          const runs = [session.run({ a: one }, "kept"), session.run({ a: part, b: two }), session.run({ a: one, b: part })];
          const outputs = (await Promise.all(runs)).map((run) => [...run.outputs.y.data]);
          const wrong = await session.run({ a: float([3]) }, "kept").catch((error) => error.name);
          await runtime.close();
          const closed = await session.run({ a: one }, "kept").catch((error) => error.name);
          results.push({ outputs, wrong, closed });
        }
        console.log(JSON.stringify(results));
      `;
      const { status, stdout, stderr } = program(script, swiftshader ?? {});
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      const [cpu, webgpu]: { outputs: number[][]; wrong: string; closed: string }[] = JSON.parse(stdout);
      expect(webgpu).toMatchObject({ wrong: "RangeError", closed: "MachineError" });
      for (const [i, values] of (cpu?.outputs ?? []).entries()) {
        expect(values.length).toBe(6);
        for (const [j, value] of values.entries()) expect(webgpu?.outputs[i]?.[j]).toBeCloseTo(value, 5);
      }
      expect(cpu?.outputs[1]?.[0]).not.toBe(cpu?.outputs[1]?.[1]);
    },
  );
});
