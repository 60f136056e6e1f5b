/** Classifier-free guidance: combines the conditional and the unconditional output. */
import { type FloatTensor, float, sample, stack } from "../tensor/index.js";
import { combine } from "./linear.js";
import { moments } from "./moments.js";

/** The guided prediction, shrunk so that its norm is at most `most` times that of `cond`. guided, cond [1, …] → same. */
export function limited(guided: FloatTensor, cond: FloatTensor, most: number): FloatTensor {
  const norm = ({ data }: FloatTensor) => Math.sqrt(data.reduce((n, v) => n + v * v, 0));
  const share = (most * norm(cond)) / norm(guided);
  return share < 1 ? combine([share, guided]) : guided;
}

/**
 * The guided prediction with the norm of `cond` in each token of side × side latents, over all channels; tokens of zeros stay.
 * guided, cond [1, C, h, w] → same.
 */
export function tokenNormed(guided: FloatTensor, cond: FloatTensor, side: number): FloatTensor {
  const [, channels = 1, height = 1, width = 1] = guided.shape;
  const columns = Math.ceil(width / side);
  const tokenOf = (i: number) => {
    const [y, x] = [Math.floor(i / width) % height, i % width];
    return Math.floor(y / side) * columns + Math.floor(x / side);
  };
  const powers = ({ data }: FloatTensor) => {
    const sums = new Float64Array(Math.ceil(height / side) * columns);
    for (const [i, v] of data.entries()) sums[tokenOf(i)] = (sums[tokenOf(i)] ?? 0) + v * v;
    return sums;
  };
  const [wanted, own] = [powers(cond), powers(guided)];
  const shares = own.map((power, token) => (power > 0 ? Math.sqrt((wanted[token] ?? 0) / power) : 1));
  const scaled = Float32Array.from(guided.data, (v, i) => v * (shares[tokenOf(i)] ?? 1));
  return float([1, channels, height, width], scaled);
}

/**
 * uncond + guidance · (cond − uncond) (Ho and Salimans 2022). With `rescale` φ above 0 the standard deviation of each sample
 * is moved towards that of `cond` by the share φ (Lin et al. 2023, eq. 14–16). cond, uncond [B, …] → [B, …].
 */
export function guide(cond: FloatTensor, uncond: FloatTensor, guidance: number, rescale = 0): FloatTensor {
  const guided = combine([guidance, cond], [1 - guidance, uncond]);
  if (rescale === 0) return guided;
  const batch = cond.shape[0] ?? 0;
  const samples = Array.from({ length: batch }, (_, i) => {
    const one = sample(guided, i);
    return combine([rescale * (moments(sample(cond, i)).deviation / moments(one).deviation) + (1 - rescale), one]);
  });
  return float(cond.shape, stack(samples).data);
}
