/** Messages between a runtime and its worker: plain data, one answer for each request. */
import type { Tensor } from "../tensor/index.js";
import type { Device, ModelBytes, Upcast } from "./runtime.js";

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
      /** Name of the held inputs to run with. */
      readonly held: string | null;
    }
  /** Inputs that stay the same over many runs: kept in the worker under a name instead of being sent each time. */
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
  /** The request itself is wrong: a programming error, not a limit of the machine. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "failed"; readonly message: string };

export type Numbered<T> = T & { readonly id: number };
