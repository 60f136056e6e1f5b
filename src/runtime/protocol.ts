/** What the host and its worker say to each other: plain messages, answered one by one. */
import type { Tensor } from "../tensor/index.js";

/** Where a model may run; the names of ONNX Runtime's execution providers. */
export const DEVICES = ["cpu", "webgpu", "cuda", "coreml", "dml"] as const;
export type Device = (typeof DEVICES)[number];

/**
 * When weights in half precision become float32. once: as the model loads, which keeps both in memory. call: in every call that needs
 * them, one at a time, while they stay mapped where they lie.
 */
export type Widen = "once" | "call";

/** A model in ONNX: its bytes, and weights that are not in a file, by the path the model calls them. */
export interface ModelBytes {
  readonly model: Uint8Array;
  readonly buffers: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** Whether ONNX Runtime may lay matrices out anew. */
  readonly packed: boolean;
}

export type Request =
  | {
      readonly kind: "load";
      readonly bytes: ModelBytes;
      readonly folder: string;
      readonly device: Device;
      readonly threads: number;
      readonly widen: Widen;
    }
  | {
      readonly kind: "run";
      readonly session: number;
      readonly feeds: Readonly<Record<string, Tensor>>;
      /** The set of held inputs to run with. */
      readonly held: string | null;
    }
  /** Inputs that stay the same over many runs: kept in the worker, under a name, instead of sent along. */
  | {
      readonly kind: "hold";
      readonly session: number;
      readonly name: string;
      readonly tensors: Readonly<Record<string, Tensor>>;
    }
  | { readonly kind: "drop"; readonly session: number; readonly name: string }
  | { readonly kind: "release"; readonly session: number };

export type Answer =
  | { readonly kind: "loaded"; readonly session: number }
  | { readonly kind: "ran"; readonly outputs: Readonly<Record<string, Tensor>>; readonly milliseconds: number }
  | { readonly kind: "held" }
  | { readonly kind: "dropped" }
  | { readonly kind: "released" }
  | { readonly kind: "failed"; readonly message: string };

export type Numbered<T> = T & { readonly id: number };
