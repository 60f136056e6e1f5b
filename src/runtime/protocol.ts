/** Messages between a runtime and its worker: plain data, one answer per request. */
import type { Tensor } from "../tensor/index.js";
import type { Device, Upcast } from "./runtime.js";

/** Bytes of weights, by the location that a model gives for them. */
export interface WeightBuffer {
  readonly path: string;
  readonly data: Uint8Array;
}

/** An ONNX model whose weights are placed. */
export interface ModelBytes {
  readonly model: Uint8Array;
  /** Folder that the model's file locations are relative to; null when no weight is mapped from a file. */
  readonly folder: string | null;
  readonly buffers: readonly WeightBuffer[];
  readonly packed: boolean;
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
  | { readonly kind: "failed"; readonly message: string };

/** Buffers that can be moved to another thread: each once, and none that is empty or moved already, which the other side could not read. */
export const movable = (buffers: Iterable<ArrayBufferLike>): ArrayBuffer[] =>
  [...new Set(buffers)].flatMap((buffer) => (buffer instanceof ArrayBuffer && buffer.byteLength > 0 ? [buffer] : []));

export type Numbered<T> = T & { readonly id: number };
