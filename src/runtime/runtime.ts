/** The interface of an ONNX Runtime: load an encoded graph, run it, release it. Implementations are in one folder per platform (`node/`). */
import type { StoredBytes, Tensor } from "../tensor/index.js";

/** Execution providers of ONNX Runtime, by its names. */
export const DEVICES = ["cpu", "webgpu", "cuda", "coreml", "dml"] as const;
export type Device = (typeof DEVICES)[number];

/**
 * When half-precision weights are upcast to float32. at-load: as the model loads, which keeps both copies in memory. per-call: one weight
 * at a time in every call, while the file stays mapped.
 */
export type Upcast = "at-load" | "per-call";

/** Where a model finds a weight: in itself, or in external data. */
export type Placement =
  | { readonly raw: Uint8Array }
  | { readonly location: string; readonly offset: number; readonly length: number };

/** An ONNX model whose weights a runtime places: mapped from files, or read. */
export interface Model {
  /** Weights by the names that the model has for them. */
  readonly weights: ReadonlyMap<string, StoredBytes>;
  /** Lets ONNX Runtime prepack matrices: a copy of each, in the layout of its kernels. */
  readonly packed: boolean;
  /** The model's bytes. */
  encode(placed: ReadonlyMap<string, Placement>): Uint8Array;
}

/** A loaded model. */
export interface Session {
  /**
   * Runs once, with the inputs held under `held` beside the feeds; feeds and outputs by name. Feeds are copied, outputs belong to the caller.
   * @throws RangeError when an input is missing or has another shape or type than the graph; MachineError when the device fails
   */
  run(feeds: Readonly<Record<string, Tensor>>, held?: string | null): Promise<RunResult>;
  /** Keeps inputs under a name for later runs. They are copied. @throws RangeError as `run` does */
  hold(name: string, tensors: Readonly<Record<string, Tensor>>): Promise<void>;
  /** Releases the inputs under a name. */
  drop(name: string): Promise<void>;
  release(): Promise<void>;
}

export interface RunResult {
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Time inside ONNX Runtime, without the way to its thread and back. */
  readonly milliseconds: number;
}

export interface Runtime {
  readonly device: Device;
  /**
   * Loads a model. `upcast` is for half-precision weights, default "at-load".
   * @throws MachineError when the device cannot hold or run the model; FileError when a weight cannot be read
   */
  load(model: Model, upcast?: Upcast): Promise<Session>;
  /** Waits for the running model call, then releases every session. */
  close(): Promise<void>;
}

export interface RuntimeOptions {
  /** Default "cpu". */
  readonly device?: Device;
  /** Threads of one model call; default: all processors. */
  readonly threads?: number;
}
