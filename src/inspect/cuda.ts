/** Files of ONNX Runtime that CUDA needs and npm's package does not contain. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

/** The CUDA provider; TensorRT's, which the same command fetches, is not used. */
const FILES = ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"];
const PLATFORM = "linux-x64";

/**
 * What is missing for CUDA, and the command that fetches it; null if nothing is missing, so that another cause is at fault.
 * @param root folder of the package onnxruntime-node; default: the installed one
 */
export function missingForCuda(
  root = path.dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json")),
  platform = `${process.platform}-${process.arch}`,
): string | null {
  if (platform !== PLATFORM) return `ONNX Runtime has CUDA for ${PLATFORM} only; this is ${platform}`;
  const folder = path.join(root, "bin", "napi-v6", "linux", "x64");
  const missing = FILES.filter((file) => !existsSync(path.join(folder, file)));
  if (missing.length === 0) return null;
  const script = path.relative(process.cwd(), path.join(root, "script", "install.js"));
  return `${missing.join(" and ")} missing in ${folder}; fetch: node ${script} --onnxruntime-node-install (docs/gpu.md)`;
}
