/** Symmetric int8 quantisation with one scale per block. */

/**
 * values [n · block] → codes uint8 [n · block] and scales float32 [n]: value ≈ (code − 128) · scale with scale = max |value| / 127
 * over the block. Zero is exact.
 * @throws RangeError when a value is NaN or infinite
 */
export function quantise(values: Float32Array, block: number): { codes: Uint8Array; scales: Float32Array } {
  const codes = new Uint8Array(values.length);
  const scales = new Float32Array(values.length / block);
  for (let b = 0; b < scales.length; b++) {
    const from = b * block;
    let largest = 0;
    for (let i = from; i < from + block; i++) largest = Math.max(largest, Math.abs(values[i] ?? 0));
    if (!Number.isFinite(largest)) throw new RangeError(`block ${b} contains ${largest}; expected finite values`);
    scales[b] = largest / 127;
    const steps = largest === 0 ? 0 : 127 / largest;
    for (let i = from; i < from + block; i++) codes[i] = 128 + Math.round((values[i] ?? 0) * steps);
  }
  return { codes, scales };
}
