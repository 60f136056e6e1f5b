/** ONNX Runtime's own files for browsers, as far as a page names them. */

/** Where a page serves ONNX Runtime's files from. Default: where the bundler of the page put those of onnxruntime-web. */
export interface RuntimeFiles {
  /**
   * Address of a folder of the page's origin with ort-wasm-simd-threaded.mjs and .wasm; for WebGPU ort-wasm-simd-threaded.asyncify.mjs
   * and .wasm.
   */
  readonly folder: string;
  /** The .wasm files are compressed by gzip and named .wasm.gz, for servers that do not compress. Default: false. */
  readonly gzip?: boolean;
}

/** First message to the worker. */
export interface Start {
  readonly threads: number;
  readonly device: "cpu" | "webgpu";
  readonly files: RuntimeFiles | null;
}

/** Addresses of the files of a device's build. */
export function filesOf(device: Start["device"], { folder, gzip = false }: RuntimeFiles) {
  const build = `${folder.endsWith("/") ? folder : `${folder}/`}ort-wasm-simd-threaded${device === "webgpu" ? ".asyncify" : ""}`;
  return { script: `${build}.mjs`, wasm: `${build}.wasm${gzip ? ".gz" : ""}` };
}

/** Downloads WebAssembly, which may be compressed by gzip. @throws Error when it cannot be fetched */
export async function fetchWasm(address: string): Promise<ArrayBuffer> {
  const response = await fetch(address);
  if (!response.ok || !response.body) throw new Error(`${address}: ${response.status} ${response.statusText}`);
  const bytes = await response.arrayBuffer();
  const [first, second] = new Uint8Array(bytes, 0, 2);
  // A server may have decompressed the file already.
  if (first !== 0x1f || second !== 0x8b) return bytes;
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(unpacked).arrayBuffer();
}
