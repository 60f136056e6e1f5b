/** Embedding of the guidance scale, for latent consistency models. */
import { type FloatTensor, float } from "../tensor/index.js";

/** Guidance scale → [1, features]: sines, then cosines of 1000 (guidance − 1), in float32 as diffusers (LCM: Luo et al. 2023, §4.2). */
export function guidanceEmbedding(guidance: number, features: number): FloatTensor {
  const half = Math.floor(features / 2);
  const w = Math.fround((guidance - 1) * 1000);
  const data = new Float32Array(features);
  const step = Math.fround(Math.log(10000) / (half - 1));
  for (let i = 0; i < half; i++) {
    const angle = Math.fround(w * Math.fround(Math.exp(Math.fround(-step * i))));
    data[i] = Math.sin(angle);
    data[half + i] = Math.cos(angle);
  }
  return float([1, features], data);
}
