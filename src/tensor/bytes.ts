/** Bytes of typed arrays, and byte counts as text. */

/** The bytes of a typed array, as a view of the same memory. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Byte count as text in decimal units (1 GB = 10⁹ bytes): "6.94 GB", "12.3 MB", "201 kB". */
export function formatBytes(bytes: number): string {
  // Thresholds from which the smaller unit would round to 1000.
  if (bytes >= 999.95e6) return `${(bytes / 1e9).toFixed(2)} GB`;
  return bytes > 999e3 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}
