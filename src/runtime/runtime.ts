/** Interface to ONNX Runtime and OpenVINO: loads, runs and releases encoded graphs. Each platform has an implementation in its folder (`node/`). */
import type { StoredBytes, Tensor } from "../tensor/index.js";

/** Execution providers, by ONNX Runtime's names, and OpenVINO, which runs on the processor too. */
export const DEVICES = ["cpu", "openvino", "webgpu", "cuda", "coreml", "dml"] as const;
/** An execution provider, or OpenVINO. */
export type Device = (typeof DEVICES)[number];

/** Times at which weights become float32. */
export const UPCASTS = ["at-load", "per-call"] as const;
/**
 * When half-precision weights are upcast to float32. "at-load": while the model loads, which keeps both copies in memory; "per-call": one
 * weight at a time during every call, with the file mapped. Weights in float32 stay mapped with both; "at-load" lets the CPU copy those of
 * convolutions into its own layout, which is faster in a call and takes longer to load.
 */
export type Upcast = (typeof UPCASTS)[number];

/** Data of a weight: bytes in the model, or a range of external data. */
export type Placement =
  | { readonly raw: Uint8Array }
  | { readonly location: string; readonly offset: number; readonly length: number };

/** Compute type of a model. */
export type FloatType = "float32" | "float16" | "bfloat16";

/** Declaration of an input or output. A named dimension may have any size, which is the same for all inputs of a call. */
export interface PortFacts {
  readonly name: string;
  readonly dtype: Tensor["dtype"];
  readonly shape: readonly (number | string)[];
}

/** An ONNX model without the data of its weights, which a runtime maps from files or reads. */
export interface Model {
  /** Weights by their names in the model. */
  readonly weights: ReadonlyMap<string, StoredBytes>;
  /** Enable ONNX Runtime's prepacking, which copies every matrix to the layout of its kernels. */
  readonly packed: boolean;
  /** Let ONNX Runtime look for layers to fuse, which takes more than half of the time in which a large graph loads. */
  readonly fusible: boolean;
  /**
   * Compute type. The model is written in float32 for "bfloat16", which OpenVINO turns to while it loads; the model has its casts for
   * "float16".
   */
  readonly type: FloatType;
  readonly inputs: readonly PortFacts[];
  readonly outputs: readonly PortFacts[];
  /** ModelProto with the data of its weights. */
  encode(placed: ReadonlyMap<string, Placement>): Uint8Array;
}

/** A loaded model. */
export interface Session {
  /**
   * Runs the model once on `feeds` and the inputs kept under `held`; feeds and outputs by name. Feeds are copied, or with "move" given away:
   * their arrays may be empty afterwards. Outputs belong to the caller.
   * @throws RangeError when an input is missing, or has the wrong shape or type; MachineError when the device fails
   */
  run(feeds: Readonly<Record<string, Tensor>>, held?: string | null, feeding?: "copy" | "move"): Promise<RunResult>;
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
  /** Time in the engine, without the messages to and from its thread. */
  readonly milliseconds: number;
}

/** A running engine on one device. */
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
  /** Default "cpu". */
  readonly device?: Device;
  /** Threads of a model call; default all processors. */
  readonly threads?: number;
}
