/** onnxruntime-web for the worker: its build for a device, its settings, and session options. */
import type * as common from "onnxruntime-common";
import type { OrtBuild } from "../ort.js";
import type { LoadRequest } from "../sessions.js";
import { fetchWasm, filesOf, type Start } from "./files.js";
import { MountedBlob } from "./mounted-blob.js";

type Ort = Pick<typeof common, "InferenceSession" | "Tensor" | "env">;

const BUILDS: { readonly [D in Start["device"]]: () => Promise<Ort> } = {
  cpu: () => import("onnxruntime-web/wasm"),
  webgpu: () => import("onnxruntime-web/webgpu"),
};

/** Loads ONNX Runtime. @throws Error when its files cannot be fetched, or there is no adapter for WebGPU */
export async function loadOrt({ device, threads, files }: Start): Promise<OrtBuild> {
  const own = files && filesOf(device, files);
  const [ort, binary] = await Promise.all([BUILDS[device](), own && fetchWasm(own.wasm)]);
  ort.env.logLevel = "fatal";
  ort.env.wasm.numThreads = threads;
  if (own && binary) {
    ort.env.wasm.wasmPaths = { mjs: own.script };
    ort.env.wasm.wasmBinary = binary;
  }
  return { ort, options };
}

const options = ({ bytes, device }: LoadRequest): common.InferenceSession.SessionOptions => ({
  executionProviders: [device === "cpu" ? "wasm" : device],
  logSeverityLevel: 4,
  // As in Node: a second block of memory after the first call.
  enableMemPattern: false,
  externalData: bytes.buffers.map(({ path, data }) => ({
    path,
    data: data instanceof Blob ? new MountedBlob(data) : data,
  })),
  extra: { session: { disable_prepacking: bytes.packed ? "0" : "1" } },
});
