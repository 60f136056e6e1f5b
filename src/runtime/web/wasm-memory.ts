/** Memory that WebAssembly takes in this worker. ONNX Runtime creates it, and does not name it. */
import { formatBytes } from "../../tensor/index.js";
import { ADDRESSABLE } from "./addressable.js";

const PAGE = 2 ** 16;

/**
 * Watches which memory is created from now on; call it before ONNX Runtime is loaded.
 * @returns a function that tells in words how large the memory has grown (it never shrinks); undefined where there is none
 */
export function watchMemory(): () => string | undefined {
  let memory: WebAssembly.Memory | undefined;
  WebAssembly.Memory = class extends WebAssembly.Memory {
    constructor(size: WebAssembly.MemoryDescriptor) {
      super(size);
      // Others are probes of what the browser can do, and of a fixed size.
      if (size.maximum === ADDRESSABLE / PAGE) memory = this;
    }
  };
  return () =>
    memory &&
    `WebAssembly has taken ${formatBytes(memory.buffer.byteLength)} of the ${formatBytes(ADDRESSABLE)} that it addresses`;
}
