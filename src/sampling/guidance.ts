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
