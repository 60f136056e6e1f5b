/** Messages between a runtime and its worker: plain data, one answer per request. */
import type { Tensor } from "../tensor/index.js";
import type { Device, FloatType, PortFacts, Upcast } from "./runtime.js";

/** Bytes of weights, and their location in the model's external data. */
export interface WeightBuffer {
  readonly path: string;
  readonly data: Uint8Array;
}

/** Weights that the worker reads from a Blob, one at a time. */
export interface WeightBlob {
  readonly path: string;
  readonly data: Blob;
}

/** An ONNX model and the data of its weights. */
export interface ModelBytes {
  /** ModelProto. */
  readonly model: Uint8Array;
  /** Base folder of external data in files; null when no weight is mapped from a file. */
  readonly folder: string | null;
  /** External data in memory, and in Blobs. */
  readonly buffers: readonly (WeightBuffer | WeightBlob)[];
  /** Enable prepacking. */
  readonly packed: boolean;
  /** Look for layers to fuse. */
  readonly fusible: boolean;
  /** Compute type, for an engine that chooses it while it loads a model. */
  readonly type: FloatType;
  readonly inputs: readonly PortFacts[];
  readonly outputs: readonly PortFacts[];
}

/** A request to the worker. */
export type Request =
  | {
      readonly kind: "load";
      readonly bytes: ModelBytes;
      readonly device: Device;
      readonly threads: number;
      readonly upcast: Upcast;
    }
  | {
      readonly kind: "run";
      readonly session: number;
      readonly feeds: Readonly<Record<string, Tensor>>;
      /** Name of kept inputs to use; null for none. */
      readonly held: string | null;
    }
  /** Keeps constant inputs in the worker under a name, instead of sending them with every run. */
  | {
      readonly kind: "hold";
      readonly session: number;
      readonly name: string;
      readonly tensors: Readonly<Record<string, Tensor>>;
    }
  | { readonly kind: "drop"; readonly session: number; readonly name: string }
  | { readonly kind: "release"; readonly session: number };

/** The answer to a request. */
export type Answer =
  | { readonly kind: "loaded"; readonly session: number }
  | { readonly kind: "ran"; readonly outputs: Readonly<Record<string, Tensor>>; readonly milliseconds: number }
  | { readonly kind: "held" }
  | { readonly kind: "dropped" }
  | { readonly kind: "released" }
  /** The request is invalid: a programming error, not a failure of the machine. */
  | { readonly kind: "refused"; readonly message: string }
  /** `memory`: how much memory the models of this worker take, in words, where it is known. */
  | { readonly kind: "failed"; readonly message: string; readonly memory?: string };

/** Transferable buffers: each once, without empty and already transferred ones. */
export const movable = (buffers: Iterable<ArrayBufferLike>): ArrayBuffer[] =>
  [...new Set(buffers)].flatMap((buffer) => (buffer instanceof ArrayBuffer && buffer.byteLength > 0 ? [buffer] : []));

/** A message with the id of its request. */
export type Numbered<T> = T & { readonly id: number };

/** Whether a message of another process is a request or an answer with its id; what sends one is typed. */
export const isNumbered = <T>(message: unknown): message is Numbered<T> =>
  typeof message === "object" && message !== null && "id" in message && "kind" in message;
