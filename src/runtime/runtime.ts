/** Interface to ONNX Runtime: loads, runs and releases encoded graphs. Each platform has an implementation in its folder (`node/`). */
import type { StoredBytes, Tensor } from "../tensor/index.js";

/** Execution providers, by ONNX Runtime's names. */
export const DEVICES = ["cpu", "webgpu", "cuda", "coreml", "dml"] as const;
/** An execution provider. */
export type Device = (typeof DEVICES)[number];

/**
 * When half-precision weights are upcast to float32. "at-load": while the model loads, which keeps both copies in memory; "per-call": one
 * weight at a time during every call, with the file mapped.
 */
export type Upcast = "at-load" | "per-call";

/** Data of a weight: bytes in the model, or a range of external data. */
export type Placement =
  | { readonly raw: Uint8Array }
  | { readonly location: string; readonly offset: number; readonly length: number };

/** An ONNX model without the data of its weights, which a runtime maps from files or reads. */
export interface Model {
  /** Weights by their names in the model. */
  readonly weights: ReadonlyMap<string, StoredBytes>;
  /** Enable ONNX Runtime's prepacking, which copies every matrix to the layout of its kernels. */
  readonly packed: boolean;
  /** ModelProto with the data of its weights. */
  encode(placed: ReadonlyMap<string, Placement>): Uint8Array;
}

/** A loaded model. */
export interface Session {
  /**
   * Runs the model once on `feeds` and the inputs kept under `held`; feeds and outputs by name. Feeds are copied; outputs belong to the
   * caller.
   * @throws RangeError when an input is missing, or has the wrong shape or type; MachineError when the device fails
   */
  run(feeds: Readonly<Record<string, Tensor>>, held?: string | null): Promise<RunResult>;
  /** Copies inputs and keeps them under a name for later runs. @throws RangeError as `run` */
  hold(name: string, tensors: Readonly<Record<string, Tensor>>): Promise<void>;
  /** Releases the inputs kept under a name. */
  drop(name: string): Promise<void>;
  /** Unloads the model. */
  release(): Promise<void>;
}

/** Result of a call. */
export interface RunResult {
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Time in ONNX Runtime, without the messages to and from its thread. */
  readonly milliseconds: number;
}

/** A running ONNX Runtime on one device. */
export interface Runtime {
  readonly device: Device;
  /**
   * Loads a model. `upcast` is for half-precision weights, default "at-load".
   * @throws MachineError when the device cannot hold or run the model; FileError when a weight cannot be read
   */
  load(model: Model, upcast?: Upcast): Promise<Session>;
  /** Waits for running calls, then releases all sessions and ends the worker. */
  close(): Promise<void>;
}

/** Options of a runtime. */
export interface RuntimeOptions {
  /** Execution provider; default "cpu". */
  readonly device?: Device;
  /** Threads of a model call; default all processors. */
  readonly threads?: number;
}
