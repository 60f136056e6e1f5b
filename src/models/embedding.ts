/** Sinusoidal embedding of scalars (Vaswani et al. 2017, §3.5), with the conventions of diffusers' get_timestep_embedding. */
import type { Builder, Value } from "../graph/index.js";

/** Conventions of a sinusoidal embedding. */
export interface Sinusoid {
  /** Width of the embedding; even. */
  readonly features: number;
  /** Cosines before sines (`flip_sin_to_cos`). */
  readonly cosFirst: boolean;
  /** `downscale_freq_shift`. */
  readonly shift: number;
}

/** 10000^(−i / of) for i = 0 … n − 1, rounded to float32. */
export const frequencies = (n: number, of: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) =>
    Math.exp(Math.fround(Math.fround(Math.fround(-Math.log(10000)) * i) / of)),
  );

/** t [N, 1] → [N, features]: sin and cos of t · 10000^(−i / (features / 2 − shift)), i = 0 … features / 2 − 1. Frequencies are rounded to float32. */
export function sinusoid(g: Builder, t: Value, { features, cosFirst, shift }: Sinusoid): Value {
  const half = features / 2;
  const angle = g.mul(t, g.constant([1, half], frequencies(half, half - shift)));
  const [sin, cos] = [g.sin(angle), g.cos(angle)];
  return g.concat(cosFirst ? [cos, sin] : [sin, cos], 1);
}
