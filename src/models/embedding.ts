/** Sinusoidal embedding of scalars (Vaswani et al. 2017, §3.5, as diffusers' get_timestep_embedding lays it out). */
import type { Builder, Value } from "../graph/index.js";

export interface Sinusoid {
  /** Even. */
  readonly features: number;
  /** Cosines before sines. */
  readonly cosFirst: boolean;
  /** `downscale_freq_shift`. */
  readonly shift: number;
}

/** t [N, 1] → [N, features]: sin and cos of t · 10000^(−i / (features/2 − shift)). Frequencies are rounded as float32 does. */
export function sinusoid(g: Builder, t: Value, { features, cosFirst, shift }: Sinusoid): Value {
  const half = features / 2;
  const frequencies = Float32Array.from({ length: half }, (_, i) => {
    const exponent = Math.fround(Math.fround(Math.fround(-Math.log(10000)) * i) / (half - shift));
    return Math.exp(exponent);
  });
  const angle = g.mul(t, g.constant([1, half], frequencies));
  const [sin, cos] = [g.sin(angle), g.cos(angle)];
  return g.concat(cosFirst ? [cos, sin] : [sin, cos], 1);
}
