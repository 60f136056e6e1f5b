import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { missingForCuda } from "../../src/inspect/cuda.js";
import { temporaryFolder } from "../support/folder.js";

it("names the missing files of CUDA and the command that fetches them", () => {
  const root = temporaryFolder();
  const folder = path.join(root, "bin/napi-v6/linux/x64");
  mkdirSync(folder, { recursive: true });
  expect(missingForCuda(root, "linux-x64")).toMatch(
    /providers_cuda\.so and libonnxruntime_providers_shared\.so missing in .*script\/install\.js --onnxruntime-node-install/,
  );
  writeFileSync(path.join(folder, "libonnxruntime_providers_shared.so"), "");
  expect(missingForCuda(root, "linux-x64")).toMatch(/^libonnxruntime_providers_cuda\.so missing/);
  writeFileSync(path.join(folder, "libonnxruntime_providers_cuda.so"), "");
  expect(missingForCuda(root, "linux-x64")).toBeNull();
  expect(missingForCuda(root, "darwin-arm64")).toBe("ONNX Runtime has CUDA for linux-x64 only; this is darwin-arm64");
});
