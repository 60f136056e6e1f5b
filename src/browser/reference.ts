/** What a page names when it opens a pair: models as text or as files of the user, the machine, and addresses of files that it serves. */
import type { GenerateRequest } from "../generate/index.js";
import type { Compute, Preparing } from "../networks/index.js";
import type { RuntimeFiles } from "../runtime/web/index.js";
import type { DownloadProgress } from "./download.js";

/** A model: a file of the user, an address, `embedded:PLACE`, or a Hub id (owner/name, owner/name/file.safetensors). */
export type ModelReference = string | File;

/** An adapter with its scale, as in a request. */
export type WebAdapterReference = Omit<NonNullable<GenerateRequest["adapters"]>[number], "ref"> & {
  readonly ref: ModelReference;
};

/** Models to open: a named embedded pair, or a base with an optional distilled model. */
export interface WebPairReference {
  /** "embedded" (default), "embedded-lora" or "embedded-lcm". */
  readonly pair?: string;
  readonly base?: ModelReference;
  readonly distilled?: ModelReference;
  /** Text encoders of a base without them. */
  readonly textEncoders?: readonly ModelReference[];
  /** Autoencoder instead of the base's, such as a TAESD. */
  readonly decoder?: ModelReference;
  /** Adapters of every run. */
  readonly adapters?: readonly WebAdapterReference[];
  /** Textual inversions. */
  readonly embeddings?: readonly { readonly ref: ModelReference; readonly token?: string }[];
  /** Files of the user that references name. */
  readonly files?: readonly File[];
  /** Default on WebGPU: float16 where the adapter has shader-f16, else float32; in WebAssembly: float32 where it fits, else int8. */
  readonly compute?: Compute;
}

/** Machine to run on, addresses of files, and callbacks. */
export interface WebOptions {
  /** "cpu", WebAssembly (default), or "webgpu". */
  readonly device?: "cpu" | "webgpu";
  /** Threads of WebAssembly; default: all processors where the page is cross-origin isolated, else 1. */
  readonly threads?: number;
  /** Memory that a run may use, in bytes. Default: three quarters of what WebAssembly can address, or of the device's memory. */
  readonly memoryBudget?: number;
  /** Address of the package's folder `embedded/`, relative to the page. Default: "embedded/". */
  readonly embedded?: string;
  /** Address of CLIP's vocabulary, which single-file checkpoints need. Default: "bpe_simple_vocab_16e6.txt.gz". */
  readonly vocabulary?: string;
  /** Addresses of ONNX Runtime's files; default: as the bundler of the page found them. */
  readonly runtime?: RuntimeFiles;
  /** Token of the Hub, which is sent to the Hub only and kept in memory only. */
  readonly token?: string;
  /** Address of the Hub. Default: https://huggingface.co. */
  readonly hub?: string;
  readonly signal?: AbortSignal;
  readonly onDownload?: (progress: DownloadProgress) => void;
  /** Called while weights are unpacked or quantised. */
  readonly onPrepare?: (preparing: Preparing) => void;
}
