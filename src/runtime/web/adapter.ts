/** WebGPU of this browser: whether there is an adapter, and whether it computes in float16. */
import { MachineError } from "../../errors.js";

/** What is used of WebGPU's interface, which TypeScript's library lacks. */
interface Gpu {
  requestAdapter(): Promise<{ readonly features: ReadonlySet<string> } | null>;
}
interface HasGpu {
  readonly gpu?: Gpu;
}
declare global {
  interface Navigator extends HasGpu {}
  interface WorkerNavigator extends HasGpu {}
}

/** An adapter of WebGPU, as far as networks need to know it. */
export interface Adapter {
  /** It has the feature shader-f16. */
  readonly float16: boolean;
}

/** Asks for an adapter. @throws MachineError when this browser has none, with the reason */
export async function webGpuAdapter(): Promise<Adapter> {
  const { gpu } = navigator;
  if (!gpu) {
    throw missing(isSecureContext ? "this browser has no WebGPU" : "browsers have WebGPU on pages of HTTPS only");
  }
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (!adapter) throw missing("this browser finds no graphics adapter for it");
  return { float16: adapter.features.has("shader-f16") };
}

const missing = (why: string): MachineError =>
  new MachineError(`webgpu is not available: ${why}\nleave out device to run in WebAssembly`);
