/** Amounts of memory: an array's own bytes, and counts of bytes in words. */

/** The bytes of a typed array, sharing its memory. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** "6.94 GB", "12.3 MB", "201 kB": decimal units, 1 GB = 10⁹ bytes. */
export function formatBytes(bytes: number): string {
  // Each limit is where the smaller unit would round to 1000.
  if (bytes >= 999.95e6) return `${(bytes / 1e9).toFixed(2)} GB`;
  return bytes > 999e3 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}
