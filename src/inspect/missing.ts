/** What a device needs and this machine lacks, by name, and the command that installs it. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type { Device } from "../runtime/index.js";

/** The CUDA provider, which npm's package does not contain; TensorRT's, which the same command fetches, is not used. */
const PROVIDERS = ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"];
const PLATFORM = "linux-x64";
/** The loader's words for a file that is no library, cut short, or of another version of ONNX Runtime. */
const UNUSABLE = /(\S+providers_\w+\.so): (file too short|invalid ELF header|undefined symbol: \w+)/;

/** A problem by its words, and what to say and do about it. `found` is the first group of `words`. */
interface Remedy {
  readonly words: RegExp;
  readonly advice: (found: string) => string;
}

/** Python's packages of CUDA's libraries, for a major version of CUDA. */
function cudaPackages(version: string): string {
  const names =
    version === "12"
      ? ["cuda-runtime-cu12", "cublas-cu12", "cufft-cu12", "curand-cu12", "cudnn-cu12"]
      : [`cuda-runtime~=${version}.0`, `cublas~=${version}.0`, "cufft", "curand", `cudnn-cu${version}`];
  return `pip install ${names.map((name) => `nvidia-${name}`).join(" ")}, then LD_LIBRARY_PATH as in docs/gpu.md`;
}

const VULKAN = "the Vulkan driver of the graphics card (apt-get install mesa-vulkan-drivers, or NVIDIA's driver)";
const CUDNN = "pip install nvidia-cudnn-cu12, or nvidia-cudnn-cu13 for CUDA 13 (docs/gpu.md)";

/** By device, what the loader and the drivers say. */
const REMEDIES: Readonly<Partial<Record<Device, readonly Remedy[]>>> = {
  cuda: [
    {
      words: /(libcuda\.so\S*): cannot open/,
      advice: (file) => `${file} is missing: apt-get install nvidia-driver, or https://www.nvidia.com/drivers`,
    },
    {
      words: /(lib(?:cudart|cublas|cublasLt)\.so\.\d+): cannot open/,
      advice: (file) => `${file} is missing: ${cudaPackages(file.split(".").at(-1) ?? "12")}`,
    },
    {
      words: /(libcufft\.so\.\d+): cannot open/,
      // CUDA 12 has version 11 of its FFT library, CUDA 13 version 12.
      advice: (file) => `${file} is missing: ${cudaPackages(file.endsWith(".11") ? "12" : "13")}`,
    },
    {
      words: /(libcurand\.so\S*): cannot open/,
      advice: (file) => `${file} is missing: pip install nvidia-curand-cu12 (docs/gpu.md)`,
    },
    { words: /(libcudnn\S*\.so\S*): cannot open/, advice: (file) => `${file} is missing: ${CUDNN}` },
    { words: /(cuDNN) (?:is not available|library was not found)/, advice: () => `cuDNN is missing: ${CUDNN}` },
    {
      words: /(no CUDA-capable device is detected|CUDA driver version is insufficient for CUDA runtime version)/,
      advice: (found) => `${found}: nvidia-smi lists cards and the newest CUDA that the driver runs`,
    },
  ],
  openvino: [
    {
      words: /(there is no libopenvino_c in [^;]+)/,
      advice: (found) => `${found}: pip install openvino (docs/openvino.md)`,
    },
    { words: /(needs the package koffi)/, advice: () => "the package koffi is missing: npm i koffi" },
  ],
  webgpu: [
    {
      words: /(libvulkan\.so\S*): cannot open/,
      advice: (file) => `${file} is missing: apt-get install libvulkan1, and ${VULKAN}`,
    },
    {
      words: /(Found no drivers|ERROR_INCOMPATIBLE_DRIVER)/,
      advice: () => `no Vulkan driver works here: install ${VULKAN}`,
    },
  ],
};

/** Folder of the installed package onnxruntime-node. */
const installed = (): string => path.dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));

/**
 * What a device lacks, and the command that installs it; the problem itself where neither is known.
 * @param problem what the device failed with
 * @param root folder of the package onnxruntime-node; default: the installed one
 */
export function missingFor(
  device: Device,
  problem: string,
  root = installed(),
  platform = `${process.platform}-${process.arch}`,
): string {
  if (device === "cuda") {
    const lacking = missingProvider(problem, root, platform);
    if (lacking !== null) return lacking;
  }
  for (const { words, advice } of REMEDIES[device] ?? []) {
    const [, found] = words.exec(problem) ?? [];
    if (found !== undefined) return advice(found);
  }
  return problem;
}

/** What is wrong with the files of the CUDA provider, and the command that fetches them; null where the loader takes them. */
function missingProvider(problem: string, root: string, platform: string): string | null {
  if (platform !== PLATFORM) return `ONNX Runtime has CUDA for ${PLATFORM} only; this is ${platform}`;
  const folder = path.join(root, "bin", "napi-v6", "linux", "x64");
  const script = path.relative(process.cwd(), path.join(root, "script", "install.js"));
  const fetch = `node ${script} --onnxruntime-node-install (docs/gpu.md)`;
  const missing = PROVIDERS.filter((file) => !existsSync(path.join(folder, file)));
  if (missing.length > 0) return `${missing.join(" and ")} missing in ${folder}; fetch: ${fetch}`;
  const [, file, why] = UNUSABLE.exec(problem) ?? [];
  return file === undefined ? null : `${file} cannot be used (${why}); delete it and fetch it again: ${fetch}`;
}
