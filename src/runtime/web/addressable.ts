/** Bytes that WebAssembly can address. */
export const ADDRESSABLE = 2 ** 32;
