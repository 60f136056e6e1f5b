import { expect, it } from "vitest";
import { nativeLog } from "../../../src/runtime/node/native-log.js";

/** What is printed and kept of a text that arrives in pieces of a length. */
function logOf(text: string, length: number) {
  const printed: string[] = [];
  const log = nativeLog((line) => printed.push(line));
  for (let at = 0; at < text.length; at += length) log.write(text.slice(at, at + length));
  log.end();
  return { printed, reports: log.reports() };
}

// As ONNX Runtime 1.30 and Dawn print them.
const DAWN = `Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file: No such file or directory
    at operator() (/build/Release/_deps/dawn-src/src/dawn/native/vulkan/BackendVk.cpp:368)

`;
const LOADER = `\u001b[1;31m2026-11-26 16:24:31.313380444 [E:onnxruntime:onnxruntime-node, provider_bridge_ort.cc:2146 Create] /onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:1988 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library /a/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file: No such file or directory
\u001b[m`;

it.each([1, 7, 10_000])("keeps warnings of drivers and the words of the loader, in pieces of %i", (length) => {
  expect(logOf(DAWN + LOADER, length)).toEqual({
    printed: [],
    reports: [
      "Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file: No such file or directory",
      "Failed to load library /a/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file: No such file or directory",
    ],
  });
});

it.each([1, 7, 10_000])("prints every other line, also between warnings and at the end, in pieces of %i", (length) => {
  const text = `CUDA error 719\n  at kernel.cu:3\n${DAWN}Error: device lost\n${LOADER}terminate called`;
  expect(logOf(text, length).printed).toEqual([
    "CUDA error 719",
    "  at kernel.cu:3",
    "Error: device lost",
    "terminate called",
  ]);
});

it("keeps the latest four reports", () => {
  const text = [1, 2, 3, 4, 5, 6].map((i) => `Warning: number ${i}\n`).join("");
  expect(logOf(text, 9).reports).toEqual(["number 3", "number 4", "number 5", "number 6"]);
});
