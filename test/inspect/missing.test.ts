import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { missingFor } from "../../src/inspect/missing.js";
import type { Device } from "../../src/runtime/index.js";
import { sharedLibrary } from "../support/elf.js";
import { temporaryFolder } from "../support/folder.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const PROVIDERS = "node_modules/onnxruntime-node/bin/napi-v6/linux/x64";
const [CUDA, SHARED] = ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"];

/** A copy of this package whose ONNX Runtime may be given other files. */
function installation(): string {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, "node_modules"));
  for (const name of ["dist", "package.json"]) {
    cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
  }
  for (const name of readdirSync(path.join(root, "node_modules"))) {
    if (name.startsWith(".")) continue;
    const [from, to] = [path.join(root, "node_modules", name), path.join(folder, "node_modules", name)];
    if (name === "onnxruntime-node") cpSync(from, to, { recursive: true });
    else symlinkSync(from, to);
  }
  for (const name of [CUDA, SHARED]) rmSync(path.join(folder, PROVIDERS, name), { force: true });
  return folder;
}

/** Why a device does not run, by that copy. Each call starts a process with the files as they are then. */
async function reasonFor(folder: string, device: Device): Promise<string> {
  const module: typeof import("../../src/inspect/machine.js") = await import(
    pathToFileURL(path.join(folder, "dist/inspect/machine.js")).href
  );
  return (await module.tryDevice(device)).why;
}

describe.runIf(process.platform === "linux" && process.arch === "x64")("CUDA", { timeout: 240_000 }, () => {
  it("names the missing files of the provider, a file that is no library, and each library that it needs", async () => {
    const folder = installation();
    const put = (name: string, bytes: string | Buffer) => writeFileSync(path.join(folder, PROVIDERS, name), bytes);
    expect(await reasonFor(folder, "cuda")).toMatch(
      /^libonnxruntime_providers_cuda\.so and libonnxruntime_providers_shared\.so missing in .*; fetch: node .*install\.js --onnxruntime-node-install/,
    );
    put(SHARED, sharedLibrary([]));
    expect(await reasonFor(folder, "cuda")).toMatch(/^libonnxruntime_providers_cuda\.so missing in/);
    put(CUDA, sharedLibrary([]));
    const unusable = (why: string) =>
      new RegExp(
        `providers_shared\\.so cannot be used \\(${why}\\); delete it and fetch it again: node .*install\\.js`,
      );
    expect(await reasonFor(folder, "cuda")).toMatch(unusable("undefined symbol: Provider_SetHost"));
    put(SHARED, "h".repeat(5000));
    expect(await reasonFor(folder, "cuda")).toMatch(unusable("invalid ELF header"));
    put(SHARED, "");
    expect(await reasonFor(folder, "cuda")).toMatch(unusable("file too short"));
    put(SHARED, sharedLibrary(["libcublasLt.so.12", "libcudnn.so.9"]));
    expect(await reasonFor(folder, "cuda")).toMatch(
      /^libcublasLt\.so\.12 is missing: pip install .*nvidia-cublas-cu12 /,
    );
    put(SHARED, sharedLibrary(["libc.so.6", "libcudnn.so.9"]));
    expect(await reasonFor(folder, "cuda")).toMatch(/^libcudnn\.so\.9 is missing: pip install nvidia-cudnn-cu12/);
  });
});

describe("what is missing", () => {
  it.each([
    ["libcudart.so.13", /cudart\.so\.13 is missing: pip install nvidia-cuda-runtime~=13\.0 .*nvidia-cudnn-cu13/],
    ["libcufft.so.11", /cufft\.so\.11 is missing: pip install .*nvidia-cufft-cu12/],
    ["libcufft.so.12", /cufft\.so\.12 is missing: pip install .*nvidia-cufft nvidia-curand/],
    ["libcurand.so.10", /curand\.so\.10 is missing: pip install nvidia-curand/],
    ["libcuda.so.1", /libcuda\.so\.1 is missing: apt-get install nvidia-driver/],
  ])("is %s, by the loader's words", (library, reason) => {
    const folder = temporaryFolder();
    mkdirSync(path.join(folder, "bin/napi-v6/linux/x64"), { recursive: true });
    for (const name of [CUDA, SHARED]) writeFileSync(path.join(folder, "bin/napi-v6/linux/x64", name), "");
    const problem = `cuda is not available here (Failed to load library /a/${CUDA} with error: ${library}: cannot open shared object file: No such file or directory)`;
    expect(missingFor("cuda", problem, folder, "linux-x64")).toMatch(reason);
    expect(missingFor("cuda", "another problem", folder, "linux-x64")).toBe("another problem");
  });

  it("is CUDA itself on other platforms, and a Vulkan driver for WebGPU", () => {
    expect(missingFor("cuda", "no", "/", "darwin-arm64")).toBe(
      "ONNX Runtime has CUDA for linux-x64 only; this is darwin-arm64",
    );
    expect(missingFor("webgpu", "libvulkan.so.1: cannot open shared object file")).toMatch(
      /apt-get install libvulkan1/,
    );
    expect(missingFor("webgpu", "vkCreateInstance: Found no drivers!")).toMatch(
      /^no Vulkan driver works here: install/,
    );
    expect(missingFor("coreml", "libvulkan.so.1: cannot open shared object file")).toMatch(/^libvulkan/);
  });
});
